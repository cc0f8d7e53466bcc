// One client connection: octets from the socket to the parser, requests to the handler one after another (RFC 9112,
// 9.3), responses back, and an end for every way in which either side can stop.
import type { Socket } from "node:net";
import { NO_BODY, type RequestBody, SallyportError, WholeBody } from "../../exchange/index.ts";
import { Reading } from "../../sockets/accepted.ts";
import { type Carried, type Opening, readOpening } from "../websocket/index.ts";
import { type EndEvent, RequestParser } from "./codec.ts";
import { type Ends, endsOf, HttpExchange, requestOf, type Wire } from "./exchange.ts";
import { CHUNKED, type HeadEvent } from "./head.ts";
import type { Site } from "./listener.ts";
import { Outlet } from "./outlet.ts";
import { beginsHttp2 } from "./preface.ts";
import { PeerProbe } from "./probe.ts";
import { refusal } from "./response.ts";
import { FAULTS, type Move, RULES, type State } from "./states.ts";
import { type Feeder, joined, Upload } from "./upload.ts";

const EMPTY: Buffer = Buffer.alloc(0);
/** Milliseconds for the request of a connection that is new when the listener closes. */
const LAST_REQUEST = 500;

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

export class Connection implements Wire, Feeder {
  readonly outlet: Outlet;
  /** When the present state has lasted too long, on the site's clock. */
  deadline = Number.POSITIVE_INFINITY;
  readonly #socket: Socket;
  readonly #site: Site;
  readonly #parser: RequestParser;
  readonly #ends: Ends;
  readonly #continue = (): void => this.#pump();
  readonly #onFirst = (octets: Buffer): void => this.#begin(octets);
  readonly #onData = (octets: Buffer): void => this.#received(octets);
  readonly #onEnd = (): void => this.#finished();
  readonly #onDrain = (): void => this.#relieved();
  readonly #onTimeout = (): void => this.#stalled();
  #reading: Reading;
  /** The first octets, while they may be those of another version. */
  #first: Buffer = EMPTY;
  #state: State = "fresh";
  #exchange: HttpExchange | undefined;
  #upload: Upload | undefined;
  #probe: PeerProbe | undefined;
  #clientPersists = false;
  /** What follows can no longer be told apart from the request: nothing more is read. */
  #spoiled = false;
  /** The client has ended its side. */
  #ended = false;
  #paused = false;
  #pumping = false;
  /** Octets read for nothing. */
  #drained = 0;

  constructor(socket: Socket, site: Site) {
    this.#socket = socket;
    this.#site = site;
    this.outlet = new Outlet(socket, site.limits.unsent, site.limits.sendTimeout);
    this.#parser = new RequestParser(site.limits);
    this.#ends = endsOf(socket, site.scheme);
    this.#enter("fresh");
    this.#reading = new Reading(socket, site.http2 ? this.#onFirst : this.#onData);
    this.#listen();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.allowHalfOpen = true;
    socket.on("end", this.#onEnd);
    socket.on("drain", this.#onDrain);
    socket.on("timeout", this.#onTimeout);
    // Which error it was does not matter: the client is gone. "close" always follows.
    socket.on("error", () => this.#lost());
    socket.on("close", () => {
      this.#lost();
      this.#site.gone(this);
    });
  }

  // The listener's calls.

  /** The listener closes: idle connections end now, the others after their response. */
  stop(): void {
    this.#move(RULES[this.#state].stopped);
  }

  /** The grace is over. */
  cutShort(): void {
    this.#exchange?.fail(
      new SallyportError("STOPPING", "the server stopped before the response was complete"),
    );
    // A WebSocket says good-bye by itself.
    if (this.#state !== "switched") this.#socket.destroySoon();
  }

  /** Nothing may remain. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** The deadline has passed. */
  expire(): void {
    if (!this.outlet.busy) return this.#move(RULES[this.#state].expired);
    // A response is still on its way out; how long that may take is another limit.
    this.outlet.watch();
    this.#enter(this.#state);
  }

  // The socket's events.

  /** Which version of HTTP is it? Asked once for a connection, not for every request. */
  #begin(chunk: Buffer): void {
    const octets = this.#first.length === 0 ? chunk : Buffer.concat([this.#first, chunk]);
    const isHttp2 = beginsHttp2(octets);
    this.#first = octets;
    if (isHttp2 === undefined) return;
    if (isHttp2) return this.#giveAway(octets);
    this.#first = EMPTY;
    this.#reading.stop();
    this.#reading = new Reading(this.#socket, this.#onData);
    this.#received(octets);
  }

  #giveAway(octets: Buffer): void {
    this.#enter("switched");
    this.#detach();
    this.#socket.unshift(octets);
    this.#site.http2?.(this.#socket);
  }

  #received(chunk: Buffer): void {
    if (this.#spoiled) return;
    this.#parser.feed(chunk);
    if (this.#state === "held") this.flow();
    else this.#pump();
  }

  #finished(): void {
    this.#ended = true;
    if (RULES[this.#state].step === "nothing" || this.#spoiled) this.#move(RULES[this.#state].ended);
    else this.#pump();
  }

  #relieved(): void {
    this.outlet.unwatch();
    this.#exchange?.drained();
    this.#pump();
  }

  /** Not an octet has left for `sendTimeout`. */
  #stalled(): void {
    this.outlet.unwatch();
    if (!this.outlet.busy) return;
    const error = new SallyportError("CLIENT_STALLED", "the client stopped reading the response");
    this.#note(error);
    this.#abandon(error);
    this.outlet.reset();
  }

  #lost(): void {
    // The session finds out by itself, and knows what else is to be told.
    if (this.#state === "switched") return;
    if (this.#exchange || this.#upload)
      this.#abandon(new SallyportError("CLIENT_LEFT", "the client closed the connection"));
  }

  /** Ends the exchange for a reason that leaves nobody to answer. */
  #abandon(error: SallyportError): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#spoiled = true;
    this.#probe?.stop();
    this.#endUpload(error);
    exchange?.lost(error);
  }

  // From octets to exchanges.

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#step());
    } catch (error) {
      this.#broken(SallyportError.from(error));
    }
    this.#pumping = false;
    this.flow();
  }

  /** One step; false when nothing more can be done with the octets at hand. */
  #step(): boolean {
    switch (this.#spoiled ? "nothing" : RULES[this.#state].step) {
      case "request":
        return this.#readRequest();
      case "body":
        return this.#readBody();
      case "rest":
        return this.#readRest();
      case "nothing":
        return false;
    }
  }

  #readRequest(): boolean {
    // Answers pile up where a client sends requests and reads nothing.
    if (this.#socket.writableNeedDrain) return false;
    const event = this.#parser.next();
    if (event?.type === "head") return this.#open(event);
    if (this.#state !== "head" && this.#parser.buffered > 0) this.#enter("head");
    return this.#starved();
  }

  #readBody(): boolean {
    const event = this.#parser.next();
    if (event === undefined) return this.#starved();
    if (event.type === "data") this.#upload?.take(event.data);
    else if (event.type === "end") this.#bodyComplete(event);
    return true;
  }

  #bodyComplete({ trailers }: EndEvent): void {
    const upload = this.#upload;
    this.#upload = undefined;
    this.#enter("held");
    upload?.end(trailers);
    if (this.#ended) this.#move("probe");
  }

  #readRest(): boolean {
    const event = this.#parser.next();
    if (event === undefined) return this.#starved();
    if (event.type === "end") this.#next();
    else if (event.type === "data") this.#drained += event.data.length;
    if (this.#drained <= this.#site.limits.drain) return true;
    this.#shut();
    return false;
  }

  /** All octets are used up. */
  #starved(): false {
    this.#upload?.flush();
    this.#awaitBody();
    if (this.#ended) this.#move(RULES[this.#state].ended);
    return false;
  }

  #open(head: HeadEvent): true {
    this.#clientPersists = head.persistent;
    const opening = head.opensWebSocket ? this.#readOpening(head) : undefined;
    const body = head.length === 0 ? this.#noBody() : this.#someBody(head);
    const exchange = new HttpExchange(requestOf(head, this.#ends), body, this.#site.log, this);
    this.#exchange = exchange;
    if (opening) exchange.offer(opening, this.#site.sockets);
    try {
      this.#site.handler(exchange);
    } catch (error) {
      exchange.fail(SallyportError.from(error));
    }
    if (this.#ended && this.#exchange && this.#state === "held") this.#move("probe");
    return true;
  }

  #readOpening({ headers }: HeadEvent): Opening {
    return readOpening(headers, this.#site.sockets.limits, true);
  }

  #noBody(): RequestBody {
    this.#parser.next();
    this.#enter("held");
    return NO_BODY;
  }

  /** A body that came with its head is whole; any other is pushed as it comes. */
  #someBody(head: HeadEvent): RequestBody {
    const pieces: Buffer[] = [];
    let event = this.#parser.next();
    for (; event?.type === "data"; event = this.#parser.next()) pieces.push(event.data);
    if (event?.type === "end") {
      this.#enter("held");
      return new WholeBody(joined(pieces), event.trailers);
    }
    const expecting = head.expectsContinue && pieces.length === 0;
    const upload = new Upload(head.length === CHUNKED ? undefined : head.length, expecting, this);
    this.#upload = upload;
    this.#enter("body");
    for (const piece of pieces) upload.take(piece);
    upload.flush();
    return upload.body;
  }

  // What the exchange and its body ask for.

  persists(): boolean {
    const { stopping, single } = this.#site;
    if (!this.#clientPersists || this.#spoiled || this.#upload?.expecting || stopping || single) return false;
    // What came behind a handshake that was not accepted may be frames.
    if (this.#exchange?.handshake && this.#parser.buffered > 0) return false;
    return (this.#parser.owed ?? 0) <= this.#site.limits.drain;
  }

  answered(persistent: boolean): void {
    this.#exchange = undefined;
    this.#probe?.stop();
    this.#dropUpload();
    // The listener may have begun to close after the head said that the connection is kept.
    if (!persistent || this.#site.closing) this.#shut();
    else if (this.#state === "held") this.#next();
    else this.#enter("drain");
    // Not at once: the exchange that was answered first tells everybody that it is over.
    if (!this.#pumping && (this.#ended || this.#parser.buffered > 0)) queueMicrotask(this.#continue);
  }

  cut(framed: boolean): void {
    this.#exchange = undefined;
    this.#probe?.stop();
    this.#dropUpload();
    if (framed) return this.#shut();
    this.#spoiled = true;
    this.outlet.reset();
  }

  switchTo(head: string): Carried {
    this.outlet.text(head);
    this.#enter("switched");
    this.#detach();
    return { duplex: this.#socket, early: () => this.#parser.takeRest() };
  }

  /** Whoever has the socket now reads on where we stopped. */
  #detach(): void {
    const socket = this.#socket;
    this.#paused = true;
    socket.pause();
    this.outlet.unwatch();
    this.#reading.stop();
    socket.off("end", this.#onEnd);
    socket.off("drain", this.#onDrain);
    socket.off("timeout", this.#onTimeout);
  }

  sendContinue(): void {
    if (this.#exchange?.started !== true) this.outlet.text(CONTINUE);
    this.#awaitBody();
  }

  /** Reads on, or stops reading, as the state of affairs demands. */
  flow(): void {
    const pause = this.#mustPause();
    if (pause === this.#paused) return;
    this.#paused = pause;
    this.#awaitBody();
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }

  #mustPause(): boolean {
    if (this.#state === "switched") return this.#paused;
    if (this.#spoiled) return false;
    if (this.#state === "body") return this.#upload?.paused === true;
    const waits = this.#state === "held" || this.#socket.writableNeedDrain;
    return waits && this.#parser.buffered > this.#site.limits.pipelined;
  }

  // From state to state.

  #enter(state: State): void {
    this.#state = state;
    const { limit } = RULES[state];
    this.deadline =
      limit === undefined ? Number.POSITIVE_INFINITY : this.#site.now + this.#site.limits[limit];
  }

  /** While a body is due its deadline moves with every octet; a client that we keep waiting has none. */
  #awaitBody(): void {
    if (this.#state !== "body") return;
    this.deadline = this.#upload?.keepsWaiting
      ? Number.POSITIVE_INFINITY
      : this.#site.now + this.#site.limits.bodyTimeout;
  }

  #move(move: Move): void {
    switch (move) {
      case "shut":
        return this.#shut();
      case "late":
      case "torn":
      case "short":
        return this.#broken(FAULTS[move]());
      case "probe":
        return this.#askPeer();
      case "hear":
        // Whoever has just connected has a request on its way, and other server processes may be there to go on.
        this.deadline = Math.min(this.deadline, this.#site.now + LAST_REQUEST);
        return;
      case "leave":
        this.#socket.destroySoon();
        return;
      case "drop":
        this.#socket.destroy();
        return;
      case "stay":
    }
  }

  #next(): void {
    this.#parser.restart();
    this.#drained = 0;
    this.#enter("idle");
  }

  /** Ends our side, and waits for the client's: closing at once could take back what it has not read yet. */
  #shut(): void {
    if (this.#state === "linger") return;
    this.#spoiled = true;
    this.#enter("linger");
    this.#socket.end();
    this.flow();
  }

  /** The rest of what the client sends cannot be used. */
  #broken(error: SallyportError): void {
    const state = this.#state;
    this.#spoiled = true;
    if (state === "drain") return this.#shut();
    if (state !== "body") return this.#refuse(error);
    this.#enter("held");
    this.#endUpload(error);
    const exchange = this.#exchange;
    if (exchange && !exchange.started) exchange.fail(error);
  }

  /** An answer to what never became an exchange. */
  #refuse(error: SallyportError): void {
    this.#note(error);
    this.outlet.text(refusal(error));
    this.#shut();
  }

  #endUpload(error: SallyportError): void {
    this.#upload?.fail(error);
    this.#upload = undefined;
  }

  /** Nobody needs the rest of the body; whoever still reads it is not told that it was complete. */
  #dropUpload(): void {
    this.#upload?.drop();
    this.#upload = undefined;
  }

  #askPeer(): void {
    const exchange = this.#exchange;
    if (exchange?.handshake && !exchange.started) return this.#hungUp();
    if (exchange?.request.version === "1.1") this.#probe ??= new PeerProbe(this.outlet, () => exchange.probe);
  }

  /** Who asked for a WebSocket and ended its side cannot want it any more. */
  #hungUp(): void {
    this.#lost();
    this.#socket.destroy();
  }

  #note(error: SallyportError): void {
    this.#site.log.info(error.message, {
      code: error.code,
      fault: error.fault,
      remote: this.#ends.remote.address,
    });
  }
}
