// One client connection: what comes in goes to the handler, request by request, responses go out, and there is an end for
// every way in which either side can stop (RFC 9112, 9).
// Tested by test/protocols/http1/endings.test.ts.
import type { Socket } from "node:net";
import { type RequestBody, SallyportError } from "../../exchange/index.ts";
import { SocketReader } from "../../sockets/accepted.ts";
import { type ConnectionFacts, connectionFactsOf } from "../../sockets/connection.ts";
import { graceOver, type ManagedConnection } from "../../sockets/connections.ts";
import { ConnectionLifecycle, type Moves } from "../../sockets/lifecycle.ts";
import { StreamEvents } from "../../sockets/stream-events.ts";
import { readOpening, type UpgradedStream } from "../../websocket/index.ts";
import { HttpExchange, type HttpTransport, requestOf } from "./exchange.ts";
import type { HeadEvent } from "./head.ts";
import type { HttpListenerContext } from "./listener.ts";
import { beginsHttp2 } from "./preface.ts";
import { HttpPeerProbe } from "./probe.ts";
import { RequestReader } from "./request-reader.ts";
import { refusal } from "./response-head.ts";
import { ResponseWriter } from "./response-writer.ts";
import { CONNECTION_RULES, type ConnectionRule, type HttpLifecycle } from "./states.ts";
import { SwitchedConnection } from "./switched.ts";

const EMPTY: Buffer = Buffer.alloc(0);

const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
/** Milliseconds for the request of a connection that is new when the listener closes. */
const LAST_REQUEST = 500;

export class HttpConnection implements ManagedConnection, HttpTransport, Moves<ConnectionRule> {
  static readonly #EVENTS = new StreamEvents<HttpConnection>({
    end: (connection) => connection.#reader.finished(),
    drain: (connection) => connection.#relieved(),
    // Which error it was does not matter: the client is gone. "close" always follows.
    error: (connection) => connection.#lost(),
    close: (connection) => connection.#closed(),
  });

  place = -1;
  readonly writer: ResponseWriter;
  readonly #socket: Socket;
  readonly #context: HttpListenerContext;
  readonly #life: HttpLifecycle;
  readonly #reader: RequestReader;
  readonly #facts: ConnectionFacts;
  #reading: SocketReader;
  /** The first bytes, while they may be those of another version. */
  #first: Buffer = EMPTY;
  #exchange: HttpExchange | undefined;
  #probe: HttpPeerProbe | undefined;
  #paused = false;

  constructor(socket: Socket, context: HttpListenerContext) {
    const { limits, connections, scheme, http2 } = context;
    this.#socket = socket;
    this.#context = context;
    this.writer = new ResponseWriter(socket, limits.unsent, limits.sendTimeout, connections);
    this.#life = new ConnectionLifecycle(CONNECTION_RULES, "fresh", limits, connections, socket, this);
    this.#reader = new RequestReader(socket, this.#life, limits, this);
    this.#facts = connectionFactsOf(socket, scheme);
    this.#reading = http2
      ? new SocketReader(socket, (bytes) => this.#begin(bytes))
      : new SocketReader(socket, this.#reader.received, true);
    this.#listen();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.allowHalfOpen = true;
    HttpConnection.#EVENTS.attach(socket, this);
  }

  // The listener's calls.

  checkDeadlines(now: number): void {
    if (this.writer.stalled(now)) this.#stalled();
    else this.#life.checkDeadline(now);
  }

  get inFlight(): number {
    return this.#exchange ? 1 : 0;
  }

  /** An idle connection ends at once; but not while its client reads an answer, which requests sent ahead would take back. */
  stop(): void {
    if (this.#life.state === "idle" && (this.writer.busy || this.#reader.waiting > 0)) this.shut();
    else this.#life.stop();
  }

  endEventStreams(): void {
    this.#exchange?.leave();
  }

  /** An answer must not be taken back from a client that still sends; the listener waits only a moment longer. */
  forceClose(): void {
    this.#exchange?.fail(graceOver());
    if (this.#life.rule.step === "request") this.#socket.destroySoon();
    else this.shut();
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
    this.#reading = new SocketReader(this.#socket, this.#reader.received, true);
    this.#reader.received(bytes);
  }

  #hijack(bytes: Buffer): void {
    this.#context.connections.handOn(this, this.#detach());
    this.#socket.unshift(bytes);
    this.#context.http2?.(this.#socket);
  }

  #relieved(): void {
    this.writer.unwatch();
    this.#exchange?.drained();
    this.#reader.pump();
  }

  /** Not a byte has left for `sendTimeout`. */
  #stalled(): void {
    this.writer.unwatch();
    const error = new SallyportError("CLIENT_STALLED", "the client stopped reading the response");
    this.#note(error);
    this.#abandon(error);
    this.writer.reset();
  }

  #closed(): void {
    this.#lost();
    this.#reader.drop();
    this.#context.connections.gone(this);
    HttpConnection.#EVENTS.release(this.#socket);
  }

  #lost(): void {
    if (this.#exchange) this.#abandon(new SallyportError("CLIENT_LEFT", "the client closed the connection"));
  }

  /** Ends the exchange: its client cannot be answered. */
  #abandon(error: SallyportError): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#life.enter("linger");
    if (this.#probe) this.#endProbe();
    this.#reader.fail(error);
    exchange?.lost(error);
  }

  // What comes in.

  /** A request is here, and as much of its body as came with it. */
  open(head: HeadEvent, body: RequestBody): void {
    const { log, handler, webSockets } = this.#context;
    const exchange = new HttpExchange(requestOf(head, this.#facts), body, log, this);
    if (head.opensWebSocket) exchange.offer(readOpening(head.headers, webSockets, true), webSockets);
    this.#exchange = exchange;
    try {
      handler(exchange);
    } catch (error) {
      exchange.fail(SallyportError.from(error));
    }
    if (this.#reader.ended && this.#exchange && this.#life.state === "whole") this.#life.ended();
  }

  /** On a new connection the time for a head runs from its start; `hear` gives less, but only for the first byte. */
  headBegun(): void {
    if (this.#life.state === "fresh" && !this.#context.connections.closing) this.#life.advance("head");
    else this.#life.enter("head");
  }

  sendContinue(): void {
    if (this.#exchange?.started !== true) this.writer.text(CONTINUE);
    this.#reader.awaitBody();
  }

  /** Pauses or resumes reading, as there is room. */
  flow(): void {
    const pause = this.#life.state === "switched" ? this.#paused : this.#reader.full;
    if (pause === this.#paused) return;
    this.#paused = pause;
    this.#reader.awaitBody();
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }

  // What the exchange asks for.

  persists(): boolean {
    const { connections, single } = this.#context;
    if (connections.leaving || single) return false;
    // What came behind a handshake that was not accepted may be frames.
    if (this.#exchange?.handshake && this.#reader.waiting > 0) return false;
    return this.#reader.leadsOn;
  }

  answered(persistent: boolean): void {
    const { state } = this.#life;
    this.#exchange = undefined;
    if (this.#probe) this.#endProbe();
    if (state !== "whole") this.#reader.answered();
    // The listener may have begun to close after the head said that the connection is kept.
    if (!persistent || this.#context.connections.closing || state === "broken") this.shut();
    else if (state === "whole") this.#reader.next();
    else this.#drain();
    this.#reader.pumpLater();
  }

  /** Reads the rest of the body: it may have been paused by its reader. */
  #drain(): void {
    this.#life.enter("drain");
    this.flow();
  }

  cut(framed: boolean): void {
    this.#exchange = undefined;
    if (this.#probe) this.#endProbe();
    this.#reader.drop();
    if (framed) return this.shut();
    this.#life.enter("linger");
    this.writer.reset();
  }

  hijack(head: string): UpgradedStream {
    this.writer.text(head);
    const early = this.#reader.takeRest();
    this.#context.connections.replace(this, this.#detach());
    return { duplex: this.#socket, early };
  }

  /** Stops reading where the next protocol is to begin, and leaves the socket to it; what is returned stands for us then. */
  #detach(): SwitchedConnection {
    const socket = this.#socket;
    this.#life.enter("switched");
    this.#paused = true;
    socket.pause();
    this.writer.unwatch();
    this.#reading.stop();
    HttpConnection.#EVENTS.detach(socket);
    const { connections } = this.#context;
    const next = new SwitchedConnection(socket, this.#exchange);
    socket.on("close", () => connections.gone(next));
    return next;
  }

  // What the table asks for.

  sending(): boolean {
    if (!this.writer.busy) return false;
    this.writer.watch();
    return true;
  }

  shut(): void {
    if (this.#life.state === "drain") this.#reader.drop();
    if (this.#life.linger()) this.#socket.end();
  }

  late(): void {
    this.broken(new SallyportError("REQUEST_TIMEOUT", "the request did not arrive in time"));
  }

  torn(): void {
    this.broken(new SallyportError("BAD_REQUEST", "the client ended its side within a request head"));
  }

  short(): void {
    this.broken(new SallyportError("BODY_INCOMPLETE", "the client ended its side within a request body"));
  }

  /** The client of a new connection has a request on its way, which other server processes may be there to answer. */
  hear(): void {
    this.#life.deadline = Math.min(this.#life.deadline, this.#context.connections.now + LAST_REQUEST);
  }

  probe(): void {
    const exchange = this.#exchange;
    if (exchange?.handshake && !exchange.started) return this.#hungUp();
    if (exchange?.request.version === "1.1")
      this.#probe ??= new HttpPeerProbe(this.writer, () => exchange.probe);
  }

  /** The next request on the connection, which may have come with this one, has a probe of its own. */
  #endProbe(): void {
    this.#probe?.stop();
    this.#probe = undefined;
  }

  // Faults.

  /** The rest of what the client sends cannot be used. */
  broken(error: SallyportError): void {
    const { state } = this.#life;
    if (state === "drain") return this.shut();
    if (state === "linger") return this.#reader.drop();
    if (state !== "body") return this.#refuse(error);
    this.#life.enter("broken");
    this.#reader.fail(error);
    const exchange = this.#exchange;
    if (exchange && !exchange.started) exchange.fail(error);
  }

  /** An answer to what never became an exchange. */
  #refuse(error: SallyportError): void {
    this.#note(error);
    this.writer.text(refusal(error, this.#reader.asksHead));
    this.shut();
  }

  /** A client that has ended its side cannot use the WebSocket it asked for. */
  #hungUp(): void {
    this.#lost();
    this.#socket.destroy();
  }

  #note(error: SallyportError): void {
    this.#context.log.info(error.message, {
      code: error.code,
      fault: error.fault,
      remote: this.#facts.remote.address,
    });
  }
}
