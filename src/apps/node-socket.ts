// The connection as a node handler sees it: the facts of the exchange behind the face of a socket. No byte passes
// here; request and response are bound to the exchange themselves, so that any listener may stand in front. It has
// what node's own code and frameworks ask a socket, and nothing of a stream's machinery, which costs more than that.
import { Stream } from "node:stream";
import { type Exchange, SallyportError } from "../exchange/index.ts";

/** Node's server keeps the response under way here, and tells it of the socket's end. */
interface MessageInProgress {
  emit(event: "timeout", socket: ExchangeSocket): boolean;
}

type Callback = (error?: Error) => void;

const HIGH_WATER = 16_384;

export class ExchangeSocket extends Stream {
  readonly encrypted: boolean;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteFamily: string;
  readonly localAddress: string;
  readonly localPort: number;
  readonly connecting = false;
  readonly pending = false;
  readonly readableHighWaterMark = HIGH_WATER;
  readonly writableHighWaterMark = HIGH_WATER;
  readonly writableLength = 0;
  readonly writableNeedDrain = false;
  /** Node's OutgoingMessage writes it at its end. */
  readonly _writableState: { corked: number } = { corked: 0 };
  destroyed = false;
  /** True once "close" is out. */
  closed = false;
  timeout = 0;
  /** Set when the exchange was cut: node's OutgoingMessage then keeps its "finish" to itself. */
  _hadError = false;
  /** The response under way, set by `ServerResponse.assignSocket`. */
  _httpMessage: MessageInProgress | null = null;
  readonly #exchange: Exchange;
  #timer: NodeJS.Timeout | undefined;

  constructor(exchange: Exchange) {
    super();
    const { remote, local, scheme } = exchange.request;
    this.#exchange = exchange;
    this.encrypted = scheme === "https";
    this.remoteAddress = remote.address;
    this.remotePort = remote.port;
    this.remoteFamily = family(remote.address);
    this.localAddress = local.address;
    this.localPort = local.port;
  }

  get readable(): boolean {
    return !this.destroyed;
  }

  get writable(): boolean {
    return !this.destroyed;
  }

  address(): { address: string; port: number; family: string } {
    return { address: this.localAddress, port: this.localPort, family: family(this.localAddress) };
  }

  /** As on `net.Socket`: "timeout" after so many idle milliseconds; the response is cut when nobody listens for it. */
  setTimeout(milliseconds: number, callback?: () => void): this {
    clearTimeout(this.#timer);
    this.timeout = milliseconds;
    this.#timer = milliseconds > 0 ? setTimeout(() => this.#idle(), milliseconds).unref() : undefined;
    if (callback && milliseconds > 0) this.once("timeout", callback);
    return this;
  }

  /** Something moved: the idle time starts anew. */
  touch(): void {
    this.#timer?.refresh();
  }

  // What belongs to the listener's connection, not to one exchange.
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

  /** Without data nothing is left to do: what ends the response is its own end. */
  end(chunk?: unknown, encoding?: unknown, callback?: Callback): this {
    if (chunk && typeof chunk !== "function") this.write(chunk, encoding, callback);
    return this;
  }

  /** Ends by the application's hand are told to the client as a cut; the error is ours to tell, not an "error" event. */
  destroy(error?: Error | null): this {
    if (this.destroyed) return this;
    this.destroyed = true;
    clearTimeout(this.#timer);
    process.nextTick(closed, this);
    if (this.#exchange.closed) return this;
    const message = `the application destroyed its response${error ? `: ${error.message}` : ""}`;
    this.#exchange.fail(new SallyportError("APP_ABORTED", message, { cause: error, detail: error?.stack }));
    return this;
  }

  destroySoon(): void {
    this.destroy();
  }

  #idle(): void {
    const heard = this._httpMessage?.emit("timeout", this);
    if (!this.emit("timeout") && !heard) this.destroy();
  }
}

function closed(socket: ExchangeSocket): void {
  socket.closed = true;
  socket.emit("close", socket._hadError);
}

const family = (address: string): string => (address.includes(":") ? "IPv6" : "IPv4");
