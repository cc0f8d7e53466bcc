// The application's half of "CGI over a socket", which is what SCGI and uwsgi are: one connection carries the
// meta-variables, a body of known length, then a response up to its end. Only how variables are written differs.
// Tested by test/cgi/socket/listener.test.ts.
import type { Socket } from "node:net";
import { writePiece } from "../../exchange/blocks.ts";
import {
  errorHead,
  errorText,
  type Handler,
  type Log,
  NO_BODY,
  PushedBody,
  type RequestBody,
  SallyportError,
  WholeBody,
} from "../../exchange/index.ts";
import { socketAddressesOf } from "../../sockets/addresses.ts";
import { graceOver, type ManagedConnection, type ManagedConnections } from "../../sockets/connections.ts";
import { ConnectionLifecycle, type Moves, type StateRule } from "../../sockets/lifecycle.ts";
import { isTcp, resetSocket } from "../../sockets/reset.ts";
import { SendWatch } from "../../sockets/send-watch.ts";
import { CgiExchange, type CgiTransport, type Compose } from "../exchange.ts";
import { describeRequest } from "../metavariables/decode.ts";
import type { VariablesRead, VariablesReader } from "./incoming.ts";
import type { SocketLimits } from "./limits.ts";

/** What the connections of one listener share. */
export interface SocketListenerContext {
  readonly handler: Handler;
  readonly log: Log;
  readonly limits: SocketLimits;
  readonly compose: Compose;
  newReader(): VariablesReader;
  readonly connections: ManagedConnections<SocketConnection>;
}

type State = "fresh" | "head" | "body" | "whole" | "halfClosed" | "linger" | "silent";
type Rule = StateRule<keyof SocketLimits, "late" | "short" | "watch" | "left">;

const RULES: Readonly<Record<State, Rule>> = {
  /** Nothing has arrived yet. */
  fresh: { limit: "headTimeout", expired: "drop", ended: "drop", stopped: "drop" },
  /** A part of the variables is here. */
  head: { limit: "headTimeout", expired: "late", ended: "short", stopped: "stay" },
  /** The exchange is on, its body is arriving. */
  body: { limit: "bodyTimeout", expired: "late", ended: "short", stopped: "stay" },
  /** The exchange is on, the request is complete; more bytes are ignored. */
  whole: { limit: undefined, expired: "stay", ended: "watch", stopped: "stay" },
  /** The same, and the peer has ended its side: it has left, unless it takes what we write. */
  halfClosed: { limit: "halfClosed", expired: "left", ended: "stay", stopped: "stay" },
  /** We have ended our side; what the peer still sends is thrown away, lest a reset takes our answer back. */
  linger: { limit: "lingerTimeout", expired: "drop", ended: "stay", stopped: "stay" },
  /** A cut that only silence can show. */
  silent: { limit: "cutTimeout", expired: "drop", ended: "drop", stopped: "drop" },
};

export class SocketConnection implements ManagedConnection, CgiTransport, Moves<Rule> {
  place = -1;
  readonly #socket: Socket;
  readonly #context: SocketListenerContext;
  readonly #reader: VariablesReader;
  readonly #tcp: boolean;
  readonly #release = (): void => this.#socket.uncork();
  readonly #life: ConnectionLifecycle<State, Rule>;
  #exchange: CgiExchange | undefined;
  #body: PushedBody | undefined;
  /** Bytes of the body that are still to come. */
  #owed = 0;
  /** Made when the response has to wait for the first time. */
  #sendWatch: SendWatch | undefined;
  /** Something was written since the peer ended its side. */
  #wrote = false;

  constructor(socket: Socket, context: SocketListenerContext) {
    this.#socket = socket;
    this.#context = context;
    this.#reader = context.newReader();
    // Asked now, because a connection that was reset no longer knows.
    this.#tcp = isTcp(socket);
    this.#life = new ConnectionLifecycle(RULES, "fresh", context.limits, context.connections, socket, this);
    this.#listen();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.allowHalfOpen = true;
    socket.on("data", (chunk: Buffer) => this.#received(chunk));
    socket.on("end", () => this.#life.ended());
    socket.on("drain", () => this.#relieved());
    // Which error it was does not matter: the peer is gone. "close" always follows.
    socket.on("error", () => this.#lost());
    socket.on("close", () => {
      this.#lost();
      this.#context.connections.gone(this);
    });
  }

  // The listener's calls.

  checkDeadlines(now: number): void {
    if (this.#sendWatch?.stalled(now)) this.#stalled();
    else this.#life.checkDeadline(now);
  }

  get inFlight(): number {
    return this.#exchange ? 1 : 0;
  }

  stop(): void {
    this.#life.stop();
  }

  endEventStreams(): void {
    this.#exchange?.leave();
  }

  forceClose(): void {
    this.#exchange?.fail(graceOver());
    const { state } = this.#life;
    // Both end in a moment, by `destroy`.
    if (state !== "silent" && state !== "linger") this.#socket.destroySoon();
  }

  destroy(): void {
    resetSocket(this.#socket);
  }

  /** Answers with `error` and nothing else. */
  refuse(error: SallyportError): void {
    this.#note(error);
    this.write(Buffer.from(this.#context.compose(errorHead(error), {}) + errorText(error), "latin1"));
    this.#shut();
  }

  // From bytes to the exchange.

  #received(chunk: Buffer): void {
    const { state } = this.#life;
    if (state === "body") return this.#take(chunk);
    if (state !== "fresh" && state !== "head") return;
    this.#life.advance("head");
    try {
      const read = this.#reader.feed(chunk);
      if (read) this.#open(read);
    } catch (error) {
      this.refuse(SallyportError.from(error));
    }
  }

  #open({ variables, rest }: VariablesRead): void {
    const { handler, log, limits, compose } = this.#context;
    const described = describeRequest(variables);
    const { length } = described;
    if (length === undefined)
      throw new SallyportError("BAD_REQUEST", "the length of the request body is unknown");
    if (length > limits.body)
      throw new SallyportError("BODY_TOO_LARGE", `a request body of more than ${limits.body} bytes`);
    const exchange = new CgiExchange(described, this.#bodyOf(length, rest), log, this, compose);
    this.#exchange = exchange;
    try {
      handler(exchange);
    } catch (error) {
      exchange.fail(SallyportError.from(error));
    }
  }

  #bodyOf(length: number, rest: Uint8Array): RequestBody {
    if (rest.length >= length) {
      this.#life.enter("whole");
      return length === 0 ? NO_BODY : new WholeBody(rest.subarray(0, length));
    }
    const body = new PushedBody(length, { pause: () => this.#pause(), resume: () => this.#resume() });
    this.#body = body;
    this.#owed = length;
    this.#life.enter("body");
    this.#take(rest);
    return body;
  }

  #take(chunk: Uint8Array): void {
    const piece = chunk.length > this.#owed ? chunk.subarray(0, this.#owed) : chunk;
    this.#owed -= piece.length;
    this.#life.renew();
    this.#body?.push(piece);
    // The application may have answered when it got that piece.
    if (this.#owed > 0 || this.#life.state !== "body") return;
    this.#life.enter("whole");
    this.#body?.end();
    this.#body = undefined;
  }

  /** The application does not read the body: that nothing comes is not the peer's fault. */
  #pause(): void {
    this.#socket.pause();
    if (this.#life.state === "body") this.#life.suspend();
  }

  #resume(): void {
    this.#socket.resume();
    if (this.#life.state === "body") this.#life.renew();
  }

  // The way out.

  write(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    this.#wrote = true;
    this.#gather();
    if (writePiece(socket, bytes)) return true;
    this.#watch();
    return socket.writableLength <= this.#context.limits.unsent;
  }

  answered(): void {
    this.#finish("the response ended before its request");
    this.#shut();
  }

  /**
   * A reset shows a cut. Ending too early does so only where a head told the length, and was believed: Apache httpd does
   * not believe it (CVE-2024-24795).
   */
  cut(framed: boolean): void {
    this.#finish("the response was cut before its request ended");
    if (this.#tcp) resetSocket(this.#socket);
    else if (framed) this.#shut();
    else if (this.#socket.readableEnded) resetSocket(this.#socket);
    else this.#fallSilent();
  }

  /** A Unix socket knows no reset, and its end would make the response look complete. So there is no end. */
  #fallSilent(): void {
    this.#life.enter("silent");
    this.#socket.resume();
  }

  /** What is written in this turn leaves together. */
  #gather(): void {
    if (this.#socket.writableCorked > 0) return;
    this.#socket.cork();
    process.nextTick(this.#release);
  }

  /** From now on the peer must take a byte every `sendTimeout`, until all is taken. */
  #watch(): void {
    const { limits, connections } = this.#context;
    this.#sendWatch ??= new SendWatch(this.#socket, limits.sendTimeout);
    this.#sendWatch.start(connections.now);
  }

  #relieved(): void {
    this.#sendWatch?.stop();
    this.#exchange?.drained();
  }

  /** Not a byte has left for `sendTimeout`. */
  #stalled(): void {
    this.#sendWatch?.stop();
    this.#abandon(new SallyportError("CLIENT_STALLED", "the server in front stopped reading the response"));
    resetSocket(this.#socket);
  }

  // What the table asks for.

  /** A cut is over in its time even if the peer reads nothing. */
  sending(): boolean {
    if (this.#life.state === "silent" || this.#socket.writableLength === 0) return false;
    this.#watch();
    return true;
  }

  late(): void {
    this.#broken(new SallyportError("REQUEST_TIMEOUT", "the request did not arrive in time"));
  }

  short(): void {
    this.#broken(this.#shortError());
  }

  watch(): void {
    this.#wrote = false;
    this.#life.enter("halfClosed");
  }

  /** What was written after the peer's end was not refused: it has only ended one side. */
  left(): void {
    if (this.#wrote) return this.#life.enter("whole");
    this.#lost();
    this.#socket.destroy();
  }

  #shut(): void {
    if (this.#life.linger()) this.#socket.end();
  }

  #shortError(): SallyportError {
    if (this.#life.state === "body")
      return new SallyportError("BODY_INCOMPLETE", `the request body ended ${this.#owed} bytes too early`);
    return new SallyportError("BAD_REQUEST", "the connection ended within the variables of a request");
  }

  /** The rest of the request will not come. */
  #broken(error: SallyportError): void {
    const exchange = this.#exchange;
    if (!exchange) return this.refuse(error);
    if (this.#socket.readableEnded) this.watch();
    else this.#life.enter("whole");
    this.#endBody(error);
    if (!exchange.started) exchange.fail(error);
  }

  #lost(): void {
    this.#abandon(new SallyportError("CLIENT_LEFT", "the server in front closed the connection"));
  }

  /** Ends the exchange: its peer cannot be answered. */
  #abandon(error: SallyportError): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#endBody(error);
    exchange?.lost(error);
  }

  /** The exchange is over; to a late reader its body must not look complete. */
  #finish(why: string): void {
    this.#exchange = undefined;
    const body = this.#body;
    this.#body = undefined;
    body?.close(new SallyportError("BODY_INCOMPLETE", why));
  }

  #endBody(error: SallyportError): void {
    const body = this.#body;
    this.#body = undefined;
    body?.fail(error);
  }

  #note(error: SallyportError): void {
    const { code, fault } = error;
    this.#context.log.info(error.message, {
      code,
      fault,
      remote: socketAddressesOf(this.#socket).remote.address,
    });
  }
}
