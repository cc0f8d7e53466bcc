// A Response that keeps a text, or bytes, as it is. Node's own makes a stream of every body at once, which up to Node 22
// costs more than all else that is done for a small answer; here there is a stream only for those who ask for one.

type Body = ConstructorParameters<typeof Response>[0];
type Source = string | Uint8Array<ArrayBuffer>;

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
  readonly #source: Source | undefined;
  #sent = false;
  /** Has the body for everybody but our server. */
  #fullResponse: Response | undefined;

  constructor(body?: Body, init?: ResponseInit) {
    const source = sourceOf(body, init);
    super(source === undefined ? body : null, init);
    this.#source = source;
    if (typeof source === "string") this.#settleType("text/plain;charset=UTF-8");
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
  [TAKE](): Source | undefined {
    if (this.#sent || this.#fullResponse) return undefined;
    this.#sent = this.#source !== undefined;
    return this.#source;
  }

  // @ts-expect-error: the types say property; in the standard, and in node, it is an accessor of the prototype.
  override get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    return this.#source === undefined ? inherited(this, "body") : this.#full(this.#source).body;
  }

  // @ts-expect-error: as above.
  override get bodyUsed(): boolean {
    if (this.#source === undefined) return inherited(this, "bodyUsed");
    return this.#sent || (this.#fullResponse?.bodyUsed ?? false);
  }

  /** Whoever has the body to be read. */
  [READER](): Response {
    return this.#source === undefined ? this : this.#full(this.#source);
  }

  [CLONED](): Response {
    if (this.#source === undefined) return inherited(this, "clone").call(this);
    const { status, statusText, headers } = this;
    const fresh = !this.#sent && !this.#fullResponse;
    const body = fresh ? this.#source : this.#full(this.#source).clone().body;
    return new FastResponse(body, { status, statusText, headers });
  }

  #full(source: Source): Response {
    if (this.#fullResponse) return this.#fullResponse;
    this.#fullResponse = new NodeResponse(source, { headers: this.headers });
    if (this.#sent) void this.#fullResponse.text(); // It is used.
    return this.#fullResponse;
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
function sourceOf(body: Body, init: ResponseInit | undefined): Source | undefined {
  if (init?.status !== undefined && NULL_BODY.has(init.status)) return undefined;
  if (typeof body === "string") return body;
  return body instanceof Uint8Array ? new Uint8Array(body) : undefined;
}

/** The body of a QuickResponse of which nothing was read; it is then used. */
export function takeBody(response: Response): Source | undefined {
  return (response as Partial<FastResponse>)[TAKE]?.();
}

/** Puts QuickResponse in the place of the global Response, for frameworks that make their Responses with it. */
export function useFastResponses(): void {
  globalThis.Response = FastResponse;
}
