// The connection as a node handler sees it: the facts of the exchange, as properties of a socket. No byte passes through it;
// request and response are bound to the exchange themselves, so that any listener may stand in front. It has the members that
// node's own code and frameworks use, and nothing else of a stream, which would cost more.
// Tested by test/apps/node.test.ts.
import { Stream } from "node:stream";
import { type Exchange, SallyportError } from "../exchange/index.ts";

/** The response in progress, which node keeps on its socket. */
interface MessageInProgress {
  emit(event: "timeout", socket: ExchangeSocket): boolean;
}

type Callback = (error?: Error) => void;

const HIGH_WATER = 16_384;

export class ExchangeSocket extends Stream {
  readonly encrypted: boolean;
  readonly connecting = false;
  readonly pending = false;
  readonly readableHighWaterMark = HIGH_WATER;
  readonly writableHighWaterMark = HIGH_WATER;
  readonly writableLength = 0;
  readonly writableNeedDrain = false;
  /** Node's OutgoingMessage sets `corked` when it ends. */
  readonly _writableState: { corked: number } = { corked: 0 };
  destroyed = false;
  /** True once "close" was emitted. */
  closed = false;
  timeout = 0;
  /** Set when the exchange was cut: node's OutgoingMessage then emits no "finish". */
  _hadError = false;
  /** Set by `ServerResponse.assignSocket`. */
  _httpMessage: MessageInProgress | null = null;
  readonly #exchange: Exchange;
  #timer: NodeJS.Timeout | undefined;

  constructor(exchange: Exchange) {
    super();
    this.#exchange = exchange;
    this.encrypted = exchange.request.scheme === "https";
  }

  get remoteAddress(): string {
    return this.#exchange.request.remote.address;
  }

  get remotePort(): number {
    return this.#exchange.request.remote.port;
  }

  get remoteFamily(): string {
    return familyOf(this.remoteAddress);
  }

  get localAddress(): string {
    return this.#exchange.request.local.address;
  }

  get localPort(): number {
    return this.#exchange.request.local.port;
  }

  get localFamily(): string {
    return familyOf(this.localAddress);
  }

  get readable(): boolean {
    return !this.destroyed;
  }

  get writable(): boolean {
    return !this.destroyed;
  }

  /** Node 20 adds it to the response's own count. */
  get writableCorked(): number {
    return 0;
  }

  address(): { address: string; port: number; family: string } {
    return { address: this.localAddress, port: this.localPort, family: this.localFamily };
  }

  /** As on `net.Socket`: "timeout" after that many idle milliseconds; without a listener for it the response is cut. */
  setTimeout(milliseconds: number, callback?: () => void): this {
    clearTimeout(this.#timer);
    this.timeout = milliseconds;
    this.#timer = milliseconds > 0 ? setTimeout(() => this.#idle(), milliseconds).unref() : undefined;
    if (callback && milliseconds > 0) this.once("timeout", callback);
    return this;
  }

  /** Bytes have passed: the idle time starts anew. */
  touch(): void {
    this.#timer?.refresh();
  }

  // These concern the listener's connection, not one exchange.
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  pause(): this {
    return this;
  }
  resume(): this {
    return this;
  }
  cork(): void {}
  uncork(): void {}

  write(_chunk: unknown, encoding?: unknown, callback?: Callback): boolean {
    const refused = new Error("Sallyport hands out no raw socket: write to the response instead");
    const called = typeof encoding === "function" ? (encoding as Callback) : callback;
    if (called) process.nextTick(called, refused);
    this.destroy(refused);
    return false;
  }

  /** Without data there is nothing to do: the response ends by its own `end`. */
  end(chunk?: unknown, encoding?: unknown, callback?: Callback): this {
    if (chunk && typeof chunk !== "function") this.write(chunk, encoding, callback);
    return this;
  }

  /** The application cuts its response. The error goes to the log, and to who listens for "error": unheard it ends no server. */
  destroy(error?: Error | null): this {
    if (this.destroyed) return this;
    this.destroyed = true;
    clearTimeout(this.#timer);
    // A body that is read after the response calls `touch`, which would start it again.
    this.#timer = undefined;
    process.nextTick(closed, this, error);
    if (this.#exchange.closed) return this;
    const message = `the application destroyed its response${error ? `: ${error.message}` : ""}`;
    this.#exchange.fail(new SallyportError("APP_ABORTED", message, { cause: error, detail: error?.stack }));
    return this;
  }

  destroySoon(): void {
    this.destroy();
  }

  resetAndDestroy(): this {
    return this.destroy();
  }

  #idle(): void {
    const heard = this._httpMessage?.emit("timeout", this);
    if (!this.emit("timeout") && !heard) this.destroy();
  }
}

function closed(socket: ExchangeSocket, error?: Error | null): void {
  socket.closed = true;
  if (error && socket.listenerCount("error") > 0) socket.emit("error", error);
  socket.emit("close", socket._hadError);
}

const familyOf = (address: string): string => (address.includes(":") ? "IPv6" : "IPv4");
