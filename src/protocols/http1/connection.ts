// One client connection: what comes in goes to the handler, request by request, responses go out, and there is an end for
// every way in which either side can stop (RFC 9112, 9).
import type { Socket } from "node:net";
import { type RequestBody, SallyportError } from "../../exchange/index.ts";
import { SocketReader } from "../../sockets/accepted.ts";
import type { ManagedConnection } from "../../sockets/connections.ts";
import { readOpening, type UpgradedStream } from "../../websocket/index.ts";
import { type Ends, endsOf, HttpExchange, type HttpTransport, requestOf } from "./exchange.ts";
import type { HeadEvent } from "./head.ts";
import type { HttpListenerContext } from "./listener.ts";
import { ConnectionPhase } from "./phase.ts";
import { beginsHttp2 } from "./preface.ts";
import { HttpPeerProbe } from "./probe.ts";
import { RequestReader, type Taker } from "./request-reader.ts";
import { refusal } from "./response-head.ts";
import { ResponseWriter } from "./response-writer.ts";
import { FAULTS, type Move } from "./states.ts";

const EMPTY: Buffer = Buffer.alloc(0);

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

export class HttpConnection implements ManagedConnection, HttpTransport, Taker {
  place = -1;
  readonly writer: ResponseWriter;
  readonly #socket: Socket;
  readonly #site: HttpListenerContext;
  readonly #phase: ConnectionPhase;
  readonly #reader: RequestReader;
  readonly #facts: Ends;
  readonly #onFirst = (bytes: Buffer): void => this.#begin(bytes);
  readonly #onData = (bytes: Buffer): void => this.#reader.received(bytes);
  readonly #onEnd = (): void => this.#reader.finished();
  readonly #onDrain = (): void => this.#relieved();
  readonly #onTimeout = (): void => this.#stalled();
  #reading: SocketReader;
  /** The first bytes, while they may be those of another version. */
  #first: Buffer = EMPTY;
  #exchange: HttpExchange | undefined;
  #probe: HttpPeerProbe | undefined;
  #paused = false;

  constructor(socket: Socket, site: HttpListenerContext) {
    const { limits, connections, scheme, http2 } = site;
    this.#socket = socket;
    this.#site = site;
    this.writer = new ResponseWriter(socket, limits.unsent, limits.sendTimeout);
    this.#phase = new ConnectionPhase(connections, limits);
    this.#reader = new RequestReader(socket, this.#phase, limits, this);
    this.#facts = endsOf(socket, scheme);
    this.#reading = http2
      ? new SocketReader(socket, this.#onFirst)
      : new SocketReader(socket, this.#onData, true);
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
      this.#site.connections.gone(this);
    });
  }

  // The listener's calls.

  checkDeadlines(now: number): void {
    if (this.#phase.deadline <= now) this.#expire();
  }

  #expire(): void {
    if (!this.writer.busy) return this.move(this.#phase.rule.expired);
    // A response is still on its way out; how long that may take is another limit.
    this.writer.watch();
    this.#phase.renew(false);
  }

  stop(): void {
    this.move(this.#phase.rule.stopped);
  }

  endEventStreams(): void {
    this.#exchange?.leave();
  }

  forceClose(): void {
    this.#exchange?.fail(
      new SallyportError("STOPPING", "the server stopped before the response was complete"),
    );
    // A WebSocket says good-bye by itself.
    if (this.#phase.state !== "switched") this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  // The socket's events.

  /** Which version of HTTP is it? Asked once for a connection, not for every request. */
  #begin(chunk: Buffer): void {
    const bytes = this.#first.length === 0 ? chunk : Buffer.concat([this.#first, chunk]);
    const isHttp2 = beginsHttp2(bytes);
    this.#first = bytes;
    if (isHttp2 === undefined) return;
    if (isHttp2) return this.#hijack(bytes);
    this.#first = EMPTY;
    this.#reading.stop();
    this.#reading = new SocketReader(this.#socket, this.#onData, true);
    this.#reader.received(bytes);
  }

  #hijack(bytes: Buffer): void {
    this.#phase.enter("switched");
    this.#detach();
    this.#socket.unshift(bytes);
    this.#site.http2?.(this.#socket);
  }

  #relieved(): void {
    this.writer.unwatch();
    this.#exchange?.drained();
    this.#reader.pump();
  }

  /** Not a byte has left for `sendTimeout`. */
  #stalled(): void {
    this.writer.unwatch();
    if (!this.writer.busy) return;
    const error = new SallyportError("CLIENT_STALLED", "the client stopped reading the response");
    this.#note(error);
    this.#abandon(error);
    this.writer.reset();
  }

  #lost(): void {
    // The session finds out by itself, and knows what else is to be told.
    if (this.#phase.state === "switched") return;
    if (this.#exchange) this.#abandon(new SallyportError("CLIENT_LEFT", "the client closed the connection"));
  }

  /** Ends the exchange for a reason that leaves nobody to answer. */
  #abandon(error: SallyportError): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#reader.spoiled = true;
    this.#probe?.stop();
    this.#reader.fail(error);
    exchange?.lost(error);
  }

  // What comes in.

  open(head: HeadEvent, body: RequestBody): void {
    const { log, handler, sockets } = this.#site;
    const exchange = new HttpExchange(requestOf(head, this.#facts), body, log, this);
    if (head.opensWebSocket) exchange.offer(readOpening(head.headers, sockets, true), sockets);
    this.#exchange = exchange;
    try {
      handler(exchange);
    } catch (error) {
      exchange.fail(SallyportError.from(error));
    }
    if (this.#reader.ended && this.#exchange && this.#phase.state === "held") this.move("probe");
  }

  sendContinue(): void {
    if (this.#exchange?.started !== true) this.writer.text(CONTINUE);
    this.#reader.awaitBody();
  }

  /** Reads on, or stops reading, as the state of affairs demands. */
  flow(): void {
    const pause = this.#phase.state === "switched" ? this.#paused : this.#reader.full;
    if (pause === this.#paused) return;
    this.#paused = pause;
    this.#reader.awaitBody();
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }

  // What the exchange asks for.

  persists(): boolean {
    const { connections, single } = this.#site;
    if (connections.leaving || single) return false;
    // What came behind a handshake that was not accepted may be frames.
    if (this.#exchange?.handshake && this.#reader.waiting > 0) return false;
    return this.#reader.leadsOn;
  }

  answered(persistent: boolean): void {
    this.#exchange = undefined;
    this.#probe?.stop();
    this.#reader.drop();
    // The listener may have begun to close after the head said that the connection is kept.
    if (!persistent || this.#site.connections.closing) this.#shut();
    else if (this.#phase.state === "held") this.#reader.next();
    else this.#drain();
    this.#reader.pumpLater();
  }

  /** Nobody reads the body, and whoever held the client back before will not let it go on. */
  #drain(): void {
    this.#phase.enter("drain");
    this.flow();
  }

  cut(framed: boolean): void {
    this.#exchange = undefined;
    this.#probe?.stop();
    this.#reader.drop();
    if (framed) return this.#shut();
    this.#reader.spoiled = true;
    this.writer.reset();
  }

  hijack(head: string): UpgradedStream {
    this.writer.text(head);
    this.#phase.enter("switched");
    this.#detach();
    return { duplex: this.#socket, early: () => this.#reader.takeRest() };
  }

  /** Whoever has the socket now reads on where we stopped. */
  #detach(): void {
    const socket = this.#socket;
    this.#paused = true;
    socket.pause();
    this.writer.unwatch();
    this.#reading.stop();
    socket.off("end", this.#onEnd);
    socket.off("drain", this.#onDrain);
    socket.off("timeout", this.#onTimeout);
  }

  // Ends.

  move(move: Move): void {
    switch (move) {
      case "shut":
        return this.#shut();
      case "late":
      case "torn":
      case "short":
        return this.broken(FAULTS[move]());
      case "probe":
        return this.#askPeer();
      case "hear":
        return this.#phase.hear();
      case "leave":
        this.#socket.destroySoon();
        return;
      case "drop":
        this.#socket.destroy();
        return;
      case "stay":
    }
  }

  /** Ends our side, and waits for the client's: closing at once could take back what it has not read yet. */
  #shut(): void {
    if (this.#phase.state === "linger") return;
    this.#reader.spoiled = true;
    this.#phase.enter("linger");
    this.#socket.end();
    this.flow();
  }

  /** The rest of what the client sends cannot be used. */
  broken(error: SallyportError): void {
    const { state } = this.#phase;
    this.#reader.spoiled = true;
    if (state === "drain") return this.#shut();
    if (state !== "body") return this.#refuse(error);
    this.#phase.enter("held");
    this.#reader.fail(error);
    const exchange = this.#exchange;
    if (exchange && !exchange.started) exchange.fail(error);
  }

  /** An answer to what never became an exchange. */
  #refuse(error: SallyportError): void {
    this.#note(error);
    this.writer.text(refusal(error));
    this.#shut();
  }

  #askPeer(): void {
    const exchange = this.#exchange;
    if (exchange?.handshake && !exchange.started) return this.#hungUp();
    if (exchange?.request.version === "1.1")
      this.#probe ??= new HttpPeerProbe(this.writer, () => exchange.probe);
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
      remote: this.#facts.remote.address,
    });
  }
}
