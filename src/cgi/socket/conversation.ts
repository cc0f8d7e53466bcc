// The web server's half of "CGI over a socket": one request and its response on one connection to an application.
// Tested by test/cgi/socket/gateway.test.ts.
import type { Socket } from "node:net";
import { type ErrorName, type Exchange, type RequestBody, SallyportError } from "../../exchange/index.ts";
import { ResponseBuffer } from "../../exchange/response-buffer.ts";
import { readLastBytes } from "../../sockets/last-bytes.ts";
import { isTcp, resetSocket } from "../../sockets/reset.ts";
import { bodyLength } from "../body-length.ts";
import type { CgiResponse, Document } from "../response-reader.ts";
import { EitherReader } from "./reader.ts";

export interface ConversationOptions {
  /** The application, for logs. */
  readonly name: string;
  /** Milliseconds that the application may take for the next piece of the request, or for a head; 0 for no limit. */
  readonly timeout: number;
  /** Milliseconds between two pieces of its response; 0 for no limit. */
  readonly idleTimeout: number;
  /** Answers a local redirect; without it the client is redirected. */
  readonly redirect: ((exchange: Exchange, target: string) => void) | undefined;
}

/** The part of the response that comes next. "over": none; more bytes are thrown away. */
type State = "head" | "body" | "over";

/** How long an application may take to end its side after a whole response. */
const LINGER = 5_000;
const PROBE = Buffer.from("\n");

/** Whether the other side had ended the connection in order before it was reset; Linux says ECONNRESET otherwise (tcp_reset). */
const cameAfterEnd = ({ code, syscall }: NodeJS.ErrnoException): boolean =>
  process.platform === "linux" && syscall === "write" && code === "EPIPE";

export class Conversation {
  readonly #exchange: Exchange;
  readonly #socket: Socket;
  readonly #body: RequestBody;
  readonly #options: ConversationOptions;
  readonly #reader = new EitherReader();
  readonly #tcp: boolean;
  #state: State = "head";
  #buffer: ResponseBuffer | undefined;
  /** Bytes of response body that the head announced and that are still to come. */
  #owed = Number.POSITIVE_INFINITY;
  /** Bytes of response that the buffer has not taken yet. */
  #held = 0;
  /** We wait for a piece of the body, not for the application. */
  #readingBody = false;
  #timer: NodeJS.Timeout | undefined;
  /** Called when the socket takes more, or has ended. */
  #writable: (() => void) | undefined;

  /** `body` is the exchange's, or what was set aside of it. */
  constructor(exchange: Exchange, socket: Socket, body: RequestBody, options: ConversationOptions) {
    this.#exchange = exchange;
    this.#socket = socket;
    this.#body = body;
    this.#options = options;
    // Read now: a connection that was reset no longer knows.
    this.#tcp = isTcp(socket);
    this.#listen();
  }

  /** Sends `variables` and the body, and answers the exchange with the response. Resolves when all was sent, or it is over. */
  async run(variables: Uint8Array): Promise<void> {
    this.#watch();
    this.#socket.cork();
    this.#socket.write(variables);
    process.nextTick(() => this.#socket.uncork());
    try {
      if (this.#body.whole) this.#socket.write(this.#body.whole);
      else await this.#sendBody();
    } catch (error) {
      this.#fail(SallyportError.from(error));
    }
  }

  #listen(): void {
    const socket = this.#socket;
    const received = (chunk: Buffer): void => this.#received(chunk);
    socket.on("data", received);
    // An application may answer before it has read an upload, and leave.
    readLastBytes(socket, received);
    socket.on("end", () => this.#ended());
    socket.on("drain", () => this.#writable?.());
    socket.on("error", (error) => this.#failed(error));
    socket.on("close", () => {
      clearTimeout(this.#timer);
      this.#writable?.();
      this.#broken("the connection was closed");
    });
    this.#exchange.whenClosed(({ complete }) => {
      if (!complete) this.#abort();
    });
  }

  // The request.

  async #sendBody(): Promise<void> {
    for (;;) {
      const chunk = await this.#nextPiece();
      if (!chunk || !this.#socket.writable) return;
      if (!this.#socket.write(chunk)) await this.#drained();
    }
  }

  async #nextPiece(): Promise<Uint8Array | undefined> {
    this.#readingBody = true;
    this.#watch();
    const chunk = await this.#body.read();
    this.#readingBody = false;
    this.#watch();
    return chunk;
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#writable = () => {
        this.#watch();
        resolve();
      };
      if (this.#socket.destroyed) resolve();
    });
  }

  // The response.

  #received(chunk: Buffer): void {
    this.#exchange.trace?.answered(chunk);
    try {
      if (this.#state === "head") this.#readHead(chunk);
      else if (this.#state === "body") this.#readBody(chunk);
    } catch (error) {
      this.#fail(SallyportError.from(error));
    }
    this.#watch();
  }

  #readHead(chunk: Buffer): void {
    const response = this.#reader.feed(chunk);
    if (response) this.#answer(response);
  }

  #answer(response: CgiResponse): void {
    if (response.kind === "document") return this.#begin(response);
    this.#finish();
    this.#redirect(response.location);
  }

  #redirect(location: string): void {
    const { redirect } = this.#options;
    if (!redirect)
      return this.#exchange.respond({ status: 302, reason: "", headers: ["Location", location] }, "");
    try {
      redirect(this.#exchange, location);
    } catch (error) {
      this.#exchange.fail(SallyportError.from(error));
    }
  }

  #begin({ head, rest }: Document): void {
    this.#owed = bodyLength(this.#exchange.request.method, head);
    if (rest.length >= this.#owed) {
      this.#finish();
      return this.#exchange.respond(head, rest);
    }
    this.#state = "body";
    this.#exchange.start(head);
    this.#buffer = new ResponseBuffer(this.#exchange, (bytes) => this.#accepted(bytes));
    this.#readBody(rest);
  }

  #readBody(chunk: Uint8Array): void {
    const buffer = this.#buffer;
    if (!buffer || chunk.length === 0) return;
    this.#owed -= chunk.length;
    this.#held += chunk.length;
    buffer.push(chunk);
    if (this.#owed <= 0) {
      this.#finish();
      buffer.end();
    } else if (this.#held > 0) this.#socket.pause();
  }

  /** When the buffer has taken all, the application may go on. */
  #accepted(bytes: number): void {
    this.#held -= bytes;
    if (this.#held > 0 || !this.#socket.isPaused()) return;
    this.#socket.resume();
    this.#watch();
  }

  /**
   * The end of the connection is the end of the response, unless it was a reset: when one comes together with bytes,
   * Node (libuv) reports the bytes and an end. A write tells them apart: it fails after a reset; applications ignore a
   * byte after the request.
   */
  #ended(): void {
    if (!this.#endTells || !this.#tcp || this.#socket.writableLength > 0) return this.#complete();
    // With an error, "error" follows.
    this.#socket.write(PROBE, (error) => {
      if (!error) this.#complete();
    });
  }

  /** The response has no other sign of its end. */
  get #endTells(): boolean {
    return this.#state === "body" && this.#owed === Number.POSITIVE_INFINITY;
  }

  /** An application that leaves the rest of an upload unread may end its side first: then it has said everything. */
  #failed(error: NodeJS.ErrnoException): void {
    if (this.#endTells && this.#tcp && cameAfterEnd(error)) this.#complete();
    else this.#broken(error.message);
  }

  #complete(): void {
    const state = this.#state;
    this.#finish();
    if (state === "head") this.#exchange.fail(this.#named(this.#reader.end()));
    // Where it is too short for its Content-Length, the exchange cuts it.
    else if (state === "body") this.#buffer?.end();
  }

  /** The response is complete: the rest of the request is not needed, and the connection ends. */
  #finish(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#body.discard();
    this.#writable?.();
    this.#socket.resume();
    this.#socket.end();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.destroy(), LINGER);
  }

  // Failures.

  #broken(reason: string): void {
    this.#fail(new SallyportError("UPSTREAM_BROKEN", `the response was cut: ${reason}`));
  }

  #late(): void {
    const { timeout, idleTimeout } = this.#options;
    if (this.#state === "head")
      this.#fail(new SallyportError("APP_TIMEOUT", `no response within ${timeout} ms`));
    else this.#broken(`nothing came for ${idleTimeout} ms`);
  }

  #fail(error: SallyportError): void {
    if (this.#state === "over") return;
    this.#exchange.fail(this.#named(error));
    this.#abort();
  }

  /** The same error, with the name of the application. */
  #named(error: SallyportError): SallyportError {
    if (error.fault === "client") return error;
    const code = error.code.slice("ERR_SALLYPORT_".length) as ErrorName;
    return new SallyportError(code, `${this.#options.name}: ${error.message}`);
  }

  /** The response is not needed any more: over TCP a reset tells the application so. */
  #abort(): void {
    this.#state = "over";
    clearTimeout(this.#timer);
    this.#body.discard();
    resetSocket(this.#socket);
  }

  /** Starts the timer again, if it is the application that we wait for. */
  #watch(): void {
    if (this.#state === "over") return;
    clearTimeout(this.#timer);
    const limit = this.#limit();
    if (limit > 0 && !this.#socket.destroyed) this.#timer = setTimeout(() => this.#late(), limit);
  }

  #limit(): number {
    if (this.#state === "head") return this.#readingBody ? 0 : this.#options.timeout;
    return this.#held > 0 ? 0 : this.#options.idleTimeout;
  }
}
