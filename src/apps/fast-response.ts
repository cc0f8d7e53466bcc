// A Response that keeps a text, or bytes, and its head as they are. Node's own makes a stream of every body (up to Node 22) and
// headers of every head, which costs more than everything else about a small response; here they are made when somebody asks for
// them. Where they cannot be kept as they are, there is a Response of Node's own, and everything is asked of it.
import type { ResponseHead } from "../exchange/index.ts";
import { headOfInit, withType } from "./fast-head.ts";
import { takeSource } from "./fetch-internals.ts";
import { pairsOf } from "./fetch-parts.ts";
import { BuiltInResponse, partsOf, shellOf } from "./node-classes.ts";

type Body = ConstructorParameters<typeof Response>[0];
type Source = string | Uint8Array;
type Read = (response: FastResponse, head: ResponseHead) => unknown;

/** The way past the stream; a registered symbol, since app and server may each have their own copy of this module. */
const TAKE = Symbol.for("sallyport.response.take");
/** The way past the headers. */
const HEAD = Symbol.for("sallyport.response.head");

const Shell: typeof Response = shellOf(BuiltInResponse);

/** A Response for small bodies. It behaves as Node's own does, and is an instance of it. */
export class FastResponse extends Shell {
  /** Undefined where the body cannot be kept as it is, and a Response of Node's own has everything. */
  #head: ResponseHead | undefined;
  readonly #source: Source | null = null;
  #sent = false;
  /** Holds the headers, from when they are first asked for. */
  #headersHolder: Response | undefined;
  /** A real Response, made when anyone but our server reads the body. */
  #fullResponse: Response | undefined;

  constructor(body?: Body, init?: ResponseInit) {
    super();
    const source = sourceOf(body);
    if (source === undefined) {
      this.#fullResponse = new BuiltInResponse(body, init);
      return;
    }
    this.#head = headOfInit(init, source === null) ?? this.#headOfNode(init, source === null);
    // Bytes are copied, as the standard demands: the app may use their memory again.
    this.#source = source instanceof Uint8Array ? new Uint8Array(source) : source;
    if (typeof source === "string") this.#settleType("text/plain;charset=UTF-8");
  }

  static {
    // Of the prototype, as in Node: TypeScript has them as properties of each object, and a declared accessor in place of one
    // fails in projects that check libraries (TS2611).
    const kept: ReadonlyMap<string, Read> = new Map<string, Read>([
      ["status", (_, head) => head.status],
      ["statusText", (_, head) => head.reason],
      ["ok", (_, { status }) => status < 300],
      ["headers", (response, head) => response.#heldHeaders(head)],
      ["body", (response) => (response.#source === null ? null : response.#full().body)],
      ["bodyUsed", (response) => response.#sent || (response.#fullResponse?.bodyUsed ?? false)],
      ["clone", (response, head) => response.#clone(head)],
    ]);
    for (const [name, { get, value, enumerable = false }] of partsOf(BuiltInResponse)) {
      const read = kept.get(name);
      const node = get ?? value;
      const part = function (this: FastResponse): unknown {
        if (!(#head in this)) return node.call(this); // Node's own, of before `useFastResponses`.
        return read && this.#head ? read(this, this.#head) : node.call(this.#full());
      };
      const property = get ? { get: part } : { value: part, writable: true };
      // biome-ignore lint/complexity/noThisInStatic: in what the compiler emits, the class has no name yet
      Object.defineProperty(this.prototype, name, { ...property, enumerable, configurable: true });
    }
  }

  static override json(data: unknown, init?: ResponseInit): Response {
    const text = JSON.stringify(data);
    if (text === undefined) return BuiltInResponse.json(data, init); // It throws the right TypeError.
    const response = new FastResponse(Buffer.from(text), init);
    response.#settleType("application/json");
    return response;
  }

  /** After `useFastResponses`, the Responses that others make (`fetch`) are still instances of `Response`, but of no subclass. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: subclasses inherit this method
    const asked = this === FastResponse ? BuiltInResponse : this;
    return Function.prototype[Symbol.hasInstance].call(asked, value);
  }

  /** For the server: the body as it was given, once; undefined when it must be read as a stream. */
  [TAKE](): Source | undefined {
    if (this.#fullResponse) return this.#head ? undefined : takeSource(this.#fullResponse);
    if (this.#sent) return undefined;
    this.#sent = this.#source !== null;
    return this.#source ?? undefined;
  }

  /** For the server: the head, undefined when it must be read from the headers, which somebody may have changed. */
  [HEAD](): ResponseHead | undefined {
    return this.#headersHolder ? undefined : this.#head;
  }

  #clone(head: ResponseHead): Response {
    const { status, reason: statusText } = head;
    const fresh = !this.#sent && !this.#fullResponse;
    const body = fresh ? this.#source : this.#full().clone().body;
    return new FastResponse(body, { status, statusText, headers: this.#heldHeaders(head) });
  }

  /** Whatever is rare or wrong in `init` is Node's to decide. */
  #headOfNode(init: ResponseInit | undefined, bodyless: boolean): ResponseHead {
    this.#headersHolder = new BuiltInResponse(bodyless ? null : new Uint8Array(0), init);
    const { status, statusText: reason } = this.#headersHolder;
    return { status, reason, headers: [] };
  }

  #heldHeaders({ headers }: ResponseHead): Headers {
    this.#headersHolder ??= new BuiltInResponse(null, { headers: pairsOf(headers) });
    return this.#headersHolder.headers;
  }

  #full(): Response {
    if (this.#fullResponse) return this.#fullResponse;
    this.#fullResponse = new BuiltInResponse(this.#source, { headers: this.headers });
    if (this.#sent) void this.#fullResponse.text(); // So that it counts as used.
    return this.#fullResponse;
  }

  #settleType(type: string): void {
    if (this.#head && !this.#headersHolder) this.#head = withType(this.#head, type);
    else if (!this.headers.has("content-type")) this.headers.append("content-type", type);
  }
}

/** The body, if it can be kept as it is. */
function sourceOf(body: Body): Source | null | undefined {
  if (body === undefined || body === null) return null;
  return typeof body === "string" || body instanceof Uint8Array ? body : undefined;
}

/** Takes the body of a FastResponse of which nothing was read; undefined for every other Response. */
export function takeBody(response: Response): Source | undefined {
  return (response as Partial<FastResponse>)[TAKE]?.();
}

/** The head of a FastResponse whose headers nobody has asked for; undefined for every other Response. */
export function givenHead(response: Response): ResponseHead | undefined {
  return (response as Partial<FastResponse>)[HEAD]?.();
}

/** Replaces the global Response by FastResponse, for frameworks that make their Responses with it. */
export function useFastResponses(): void {
  globalThis.Response = FastResponse;
}
