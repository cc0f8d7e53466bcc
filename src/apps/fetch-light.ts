// A Request whose parts are made when the app first uses them: a real one costs more than everything else about a small
// response. It is an instance of Request and inherits what it does not define. The state that Node's own code looks for in it
// (`new Request(request)`, `fetch(request)`) is made at that moment.
// Tested by test/apps/fetch-request.test.ts.
import type { Exchange, RequestBody } from "../exchange/index.ts";
import { type RequestKeys, requestKeys, stateOf } from "./fetch-internals.ts";
import {
  bodyInit,
  carriesBody,
  clonedOf,
  type ExchangeRequest,
  leaveSignal,
  pairsOf,
  type RequestMaker,
} from "./fetch-parts.ts";
import { urlOf } from "./fetch-url.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const decoder = new TextDecoder();

/** Undefined where the state of a Request is private (from Node 24 on). */
export const lightRequest: RequestMaker | undefined =
  requestKeys &&
  ((exchange, origin, method) => new LightRequest(exchange, origin, method) as unknown as ExchangeRequest);

class LightRequest {
  readonly #exchange: Exchange;
  readonly #origin: string;
  readonly #method: string;
  #url: string | undefined;
  #signal: AbortSignal | undefined;
  /** Holds the headers. A Response, because no other object with Headers is made as fast. */
  #headersHolder: Response | undefined;
  #fullRequest: Request | undefined;
  /** The body was read without a whole Request. */
  #read = false;

  static {
    if (requestKeys) LightRequest.#inherit(requestKeys);
  }

  constructor(exchange: Exchange, origin: string, method: string) {
    this.#exchange = exchange;
    this.#origin = origin;
    this.#method = method;
  }

  get method(): string {
    return this.#method;
  }

  get url(): string {
    this.#url ??= urlOf(this.#origin, this.#exchange.request);
    return this.#url;
  }

  get headers(): Headers {
    return this.#heldHeaders().headers;
  }

  get signal(): AbortSignal {
    this.#signal ??= leaveSignal(this.#exchange);
    return this.#signal;
  }

  get ip(): string {
    return this.#exchange.request.remote.address;
  }

  get body(): ReadableStream<Bytes> | null {
    return this.#isBodyless ? null : this.#full().body;
  }

  get bodyUsed(): boolean {
    return this.#fullRequest ? this.#fullRequest.bodyUsed : this.#read;
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    if (!this.#isUnread) return this.#full().arrayBuffer();
    // A copy: the bytes that came in may share their memory with other requests.
    return this.#bytes().then((bytes) => new Uint8Array(bytes).buffer);
  }

  text(): Promise<string> {
    return this.#isUnread ? this.#bytes().then(decoded) : this.#full().text();
  }

  json(): Promise<unknown> {
    return this.#isUnread ? this.#bytes().then(decoded).then(JSON.parse) : this.#full().json();
  }

  clone(): Request {
    return clonedOf(this.#full().clone(), this.signal);
  }

  get #isBodyless(): boolean {
    return !this.#fullRequest && !carriesBody(this.#exchange, this.#method);
  }

  /** Whether there is a body that nothing has read, so that no real Request is needed to read it. */
  get #isUnread(): boolean {
    return !this.#fullRequest && !this.#read && carriesBody(this.#exchange, this.#method);
  }

  #heldHeaders(): Response {
    this.#headersHolder ??= new Response(null, { headers: pairsOf(this.#exchange.request.headers) });
    return this.#headersHolder;
  }

  #bytes(): Promise<Uint8Array> {
    this.#read = true;
    return collected(this.#exchange.body);
  }

  #full(): Request {
    this.#fullRequest ??= this.#make(requestKeys as RequestKeys);
    return this.#fullRequest;
  }

  #make(keys: RequestKeys): Request {
    const whole = new Request(this.url, { method: this.#method, ...this.#init() });
    if (this.#read) void whole.text(); // So that it counts as used there, too.
    // The same list, not a copy: it shows what the app did to the headers, and will do.
    stateOf(whole, keys).headersList = stateOf(this.#heldHeaders(), keys).headersList;
    return whole;
  }

  #init(): RequestInit {
    if (!carriesBody(this.#exchange, this.#method)) return {};
    return this.#read ? { body: "" } : bodyInit(this.#exchange);
  }

  static #inherit(keys: RequestKeys): void {
    const { prototype } = LightRequest;
    const part = (key: symbol, get: (request: LightRequest) => unknown): void => {
      const getter = function (this: LightRequest): unknown {
        return get(this);
      };
      Object.defineProperty(prototype, key, { get: getter, configurable: true });
    };
    part(keys.state, (request) => stateOf(request.#full(), keys));
    part(keys.headers, ({ headers }) => headers);
    part(keys.signal, ({ signal }) => signal);
    for (const key of keys.others) part(key, (request) => Reflect.get(request.#full(), key));
    Object.setPrototypeOf(prototype, Request.prototype);
    Object.defineProperty(prototype, "constructor", { value: Request, configurable: true, writable: true });
  }
}

const decoded = (bytes: Uint8Array): string => decoder.decode(bytes);

async function collected(body: RequestBody): Promise<Uint8Array> {
  if (body.whole) return body.whole;
  const pieces: Uint8Array[] = [];
  for (let piece = await body.read(); piece; piece = await body.read()) pieces.push(piece);
  return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
}
