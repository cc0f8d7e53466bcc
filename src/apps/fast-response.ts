// A Response that keeps a text, or bytes, as it is. Node's own makes a stream of every body at once, which up to Node 22
// costs more than everything else about a small response; here a stream is made only when the body is read as one.

type Body = ConstructorParameters<typeof Response>[0];
type Source = string | Uint8Array<ArrayBuffer>;

/** The way past the stream; a registered symbol, since app and server may each have their own copy of this module. */
const TAKE = Symbol.for("sallyport.response.take");
/** Statuses whose Response cannot have a body (Fetch, 2.2.3). */
const NULL_BODY: ReadonlySet<number> = new Set([101, 103, 204, 205, 304]);

/** The methods that read a body, as far as this Node has them. */
const READERS = ["arrayBuffer", "blob", "bytes", "formData", "json", "text"] as const;

/** Node's, also after `useFastResponses`. */
const NodeResponse: typeof Response = Response;

/** A Response for small bodies. It behaves as Node's own does, and is an instance of it. */
export class FastResponse extends NodeResponse {
  readonly #source: Source | undefined;
  #sent = false;
  /** A real Response, made when anyone but our server reads the body. */
  #fullResponse: Response | undefined;

  constructor(body?: Body, init?: ResponseInit) {
    const source = sourceOf(body, init);
    super(source === undefined ? body : null, init);
    this.#source = source;
    if (typeof source === "string") this.#settleType("text/plain;charset=UTF-8");
  }

  static {
    // Of the prototype, as in Node: TypeScript has them as properties of each object, and a declared accessor in place of one
    // fails in projects that check libraries (TS2611).
    // biome-ignore lint/complexity/noThisInStatic: in what the compiler emits, the class has no name yet
    const { prototype } = this;
    const define = (name: string, value: (this: FastResponse) => unknown): void => {
      Object.defineProperty(prototype, name, { value, configurable: true, writable: true });
    };
    for (const name of READERS.filter((reader) => reader in NodeResponse.prototype))
      define(name, function () {
        return Reflect.get(NodeResponse.prototype, name).call(this.#reader());
      });
    define("clone", function () {
      return this.#clone();
    });
    const defineGetter = (name: string, get: (this: FastResponse) => unknown): void => {
      Object.defineProperty(prototype, name, { get, configurable: true, enumerable: true });
    };
    defineGetter("body", function () {
      return this.#source === undefined ? inherited(this, "body") : this.#full(this.#source).body;
    });
    defineGetter("bodyUsed", function () {
      if (this.#source === undefined) return inherited(this, "bodyUsed");
      return this.#sent || (this.#fullResponse?.bodyUsed ?? false);
    });
  }

  static override json(data: unknown, init?: ResponseInit): Response {
    const text = JSON.stringify(data);
    if (text === undefined) return NodeResponse.json(data, init); // It throws the right TypeError.
    const response = new FastResponse(Buffer.from(text), init);
    response.#settleType("application/json");
    return response;
  }

  /** After `useFastResponses`, the Responses that others make (`fetch`) are still instances of `Response`, but of no subclass. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: subclasses inherit this method
    const asked = this === FastResponse ? NodeResponse : this;
    return Function.prototype[Symbol.hasInstance].call(asked, value);
  }

  /** For the server: the body as it was given, once; undefined when it must be read as a stream. */
  [TAKE](): Source | undefined {
    if (this.#sent || this.#fullResponse) return undefined;
    this.#sent = this.#source !== undefined;
    return this.#source;
  }

  /** The Response that reads the body. */
  #reader(): Response {
    return this.#source === undefined ? this : this.#full(this.#source);
  }

  #clone(): Response {
    if (this.#source === undefined) return inherited(this, "clone").call(this);
    const { status, statusText, headers } = this;
    const fresh = !this.#sent && !this.#fullResponse;
    const body = fresh ? this.#source : this.#full(this.#source).clone().body;
    return new FastResponse(body, { status, statusText, headers });
  }

  #full(source: Source): Response {
    if (this.#fullResponse) return this.#fullResponse;
    this.#fullResponse = new NodeResponse(source, { headers: this.headers });
    if (this.#sent) void this.#fullResponse.text(); // So that it counts as used.
    return this.#fullResponse;
  }

  #settleType(type: string): void {
    if (!this.headers.has("content-type")) this.headers.append("content-type", type);
  }
}

/** The property of Node's own class. */
const inherited = <Name extends keyof Response>(response: Response, name: Name): Response[Name] =>
  Reflect.get(NodeResponse.prototype, name, response);

/** The body, if it can be kept as it is; bytes are copied, as the standard demands: the app may use their memory again. */
function sourceOf(body: Body, init: ResponseInit | undefined): Source | undefined {
  if (init?.status !== undefined && NULL_BODY.has(init.status)) return undefined;
  if (typeof body === "string") return body;
  return body instanceof Uint8Array ? new Uint8Array(body) : undefined;
}

/** Takes the body of a FastResponse of which nothing was read; undefined for every other Response. */
export function takeBody(response: Response): Source | undefined {
  return (response as Partial<FastResponse>)[TAKE]?.();
}

/** Replaces the global Response by FastResponse, for frameworks that make their Responses with it. */
export function useFastResponses(): void {
  globalThis.Response = FastResponse;
}
