// The connection as a node handler sees it: the facts of the exchange behind the face of a socket. No octet passes
// here; request and response are bound to the exchange themselves, so that any listener may stand in front.
import { Duplex } from "node:stream";
import { type Exchange, SallyportError } from "../exchange/index.ts";

/** Node's server keeps the response under way here, and tells it of the socket's end. */
interface Carried {
  emit(event: "timeout", socket: ExchangeSocket): boolean;
}

export class ExchangeSocket extends Duplex {
  readonly encrypted: boolean;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly remoteFamily: string;
  readonly localAddress: string;
  readonly localPort: number;
  readonly connecting = false;
  readonly pending = false;
  timeout = 0;
  /** Set when the exchange was cut: node's OutgoingMessage then keeps its "finish" to itself. */
  _hadError = false;
  /** The response under way, set by `ServerResponse.assignSocket`. */
  _httpMessage: Carried | null = null;
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

  override _read(): void {}

  override _write(_chunk: unknown, _encoding: string, done: (error: Error) => void): void {
    done(new Error("Sallyport hands out no raw socket: write to the response instead"));
  }

  /** Ends by the application's hand are told to the client as a cut; the error is ours to tell, not an "error" event. */
  override _destroy(error: Error | null, done: (error: null) => void): void {
    clearTimeout(this.#timer);
    if (!this.#exchange.closed) {
      const message = `the application destroyed its response${error ? `: ${error.message}` : ""}`;
      this.#exchange.fail(new SallyportError("APP_ABORTED", message, { cause: error, detail: error?.stack }));
    }
    done(null);
  }

  #idle(): void {
    const heard = this._httpMessage?.emit("timeout", this);
    if (!this.emit("timeout") && !heard) this.destroy();
  }
}

const family = (address: string): string => (address.includes(":") ? "IPv6" : "IPv4");
