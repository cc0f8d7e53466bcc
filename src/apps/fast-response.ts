// A Response that keeps a text, or bytes, as it is. Node's own makes a stream of every body at once, which up to Node 22
// costs more than all else that is done for a small answer; here there is a stream only for those who ask for one.

type Body = ConstructorParameters<typeof Response>[0];
type Kept = string | Uint8Array<ArrayBuffer>;

/** The way past the stream; a registered symbol, since the app and the server may have a copy of this module each. */
const TAKE = Symbol.for("sallyport.response.take");
const READER = Symbol("sallyport.response.reader");
const CLONED = Symbol("sallyport.response.cloned");
/** Statuses with which a Response cannot have a body (Fetch, 2.2.3). */
const NULL_BODY: ReadonlySet<number> = new Set([101, 103, 204, 205, 304]);

/** The methods that read a body, as far as this Node has them. */
const READERS = ["arrayBuffer", "blob", "bytes", "formData", "json", "text"] as const;

/** Node's, whatever stands in its place later. */
const NodeResponse: typeof Response = Response;

/** A Response for small answers: the same in all that it does, and of its class. */
export class FastResponse extends NodeResponse {
  readonly #kept: Kept | undefined;
  #sent = false;
  /** Has the body for everybody but our server. */
  #whole: Response | undefined;

  constructor(body?: Body, init?: ResponseInit) {
    const kept = keptOf(body, init);
    super(kept === undefined ? body : null, init);
    this.#kept = kept;
    if (typeof kept === "string") this.#settleType("text/plain;charset=UTF-8");
  }

  static override json(data: unknown, init?: ResponseInit): Response {
    const text = JSON.stringify(data);
    if (text === undefined) return NodeResponse.json(data, init); // Which says what is wrong.
    const response = new FastResponse(Buffer.from(text), init);
    response.#settleType("application/json");
    return response;
  }

  /** When it stands in for Response, the Responses of others (`fetch`) are instances, too. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return Function.prototype[Symbol.hasInstance].call(NodeResponse, value);
  }

  /** The server's: the body as it was given, once; undefined when it has to be read. */
  [TAKE](): Kept | undefined {
    if (this.#sent || this.#whole) return undefined;
    this.#sent = this.#kept !== undefined;
    return this.#kept;
  }

  // @ts-expect-error: the types say property; in the standard, and in node, it is an accessor of the prototype.
  override get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    return this.#kept === undefined ? inherited(this, "body") : this.#made(this.#kept).body;
  }

  // @ts-expect-error: as above.
  override get bodyUsed(): boolean {
    if (this.#kept === undefined) return inherited(this, "bodyUsed");
    return this.#sent || (this.#whole?.bodyUsed ?? false);
  }

  /** Whoever has the body to be read. */
  [READER](): Response {
    return this.#kept === undefined ? this : this.#made(this.#kept);
  }

  [CLONED](): Response {
    if (this.#kept === undefined) return inherited(this, "clone").call(this);
    const { status, statusText, headers } = this;
    const fresh = !this.#sent && !this.#whole;
    const body = fresh ? this.#kept : this.#made(this.#kept).clone().body;
    return new FastResponse(body, { status, statusText, headers });
  }

  #made(kept: Kept): Response {
    if (this.#whole) return this.#whole;
    this.#whole = new NodeResponse(kept, { headers: this.headers });
    if (this.#sent) void this.#whole.text(); // It is used.
    return this.#whole;
  }

  #settleType(type: string): void {
    if (!this.headers.has("content-type")) this.headers.append("content-type", type);
  }
}

/** Methods as properties of the prototype: for the types they are properties of each object. */
function define(name: string, value: (this: FastResponse) => unknown): void {
  Object.defineProperty(FastResponse.prototype, name, { value, configurable: true, writable: true });
}

for (const name of READERS.filter((reader) => reader in NodeResponse.prototype))
  define(name, function () {
    return Reflect.get(NodeResponse.prototype, name).call(this[READER]());
  });

define("clone", function () {
  return this[CLONED]();
});

/** What Node's own class has under this name. */
const inherited = <Name extends keyof Response>(response: Response, name: Name): Response[Name] =>
  Reflect.get(NodeResponse.prototype, name, response);

/** What is kept as it is; bytes are copied, as the standard has it, since the app may use their memory again. */
function keptOf(body: Body, init: ResponseInit | undefined): Kept | undefined {
  if (init?.status !== undefined && NULL_BODY.has(init.status)) return undefined;
  if (typeof body === "string") return body;
  return body instanceof Uint8Array ? new Uint8Array(body) : undefined;
}

/** The body of a QuickResponse of which nothing was read; it is then used. */
export function takeKept(response: Response): Kept | undefined {
  return (response as Partial<FastResponse>)[TAKE]?.();
}

/** Puts QuickResponse in the place of the global Response, for frameworks that make their Responses with it. */
export function useFastResponses(): void {
  globalThis.Response = FastResponse;
}
