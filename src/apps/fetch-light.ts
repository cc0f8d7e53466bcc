// A Request whose parts are made when the app first uses them: a real one costs more than everything else about a small
// response. It is an instance of Request. What it does not define itself is that of a whole Request, which is made at that moment; so
// is, up to Node 22, the state that Node's own code looks for in it (`new Request(request)`, `fetch(request)`). From Node 24 on
// that is private, and only the Request and the fetch of `useFastRequests` accept a light one.
// Tested by test/apps/fetch-request.test.ts.
import type { Exchange, RequestBody } from "../exchange/index.ts";
import { WHOLE } from "./fast-request.ts";
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
import { BuiltInRequest, BuiltInResponse, partsOf } from "./node-classes.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const decoder = new TextDecoder();

export const lightRequest: RequestMaker = (exchange, origin, method) =>
  new LightRequest(exchange, origin, method) as unknown as ExchangeRequest;

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
    LightRequest.#inherit();
    if (requestKeys) LightRequest.#showState(requestKeys);
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
    // Those of the whole Request, unless they were given away before there was one.
    return (this.#headersHolder ?? this.#fullRequest ?? this.#heldHeaders()).headers;
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
    return clonedOf(this[WHOLE]().clone(), this.signal);
  }

  [WHOLE](): Request {
    const whole = this.#full();
    if (!requestKeys && this.#headersHolder) copyFields(this.#headersHolder.headers, whole.headers);
    return whole;
  }

  get #isBodyless(): boolean {
    return !this.#fullRequest && !carriesBody(this.#exchange, this.#method);
  }

  /** Whether there is a body that nothing has read, so that no real Request is needed to read it. */
  get #isUnread(): boolean {
    return !this.#fullRequest && !this.#read && carriesBody(this.#exchange, this.#method);
  }

  #heldHeaders(): Response {
    this.#headersHolder ??= new BuiltInResponse(null, { headers: pairsOf(this.#exchange.request.headers) });
    return this.#headersHolder;
  }

  #bytes(): Promise<Uint8Array> {
    this.#read = true;
    return collected(this.#exchange.body);
  }

  #full(): Request {
    this.#fullRequest ??= requestKeys ? this.#makeSharing(requestKeys) : this.#makeCopying();
    return this.#fullRequest;
  }

  #make(init?: RequestInit): Request {
    const whole = new BuiltInRequest(this.url, { method: this.#method, ...this.#body(), ...init });
    if (this.#read) void whole.text(); // So that it counts as used there, too.
    return whole;
  }

  /** The same list of headers, not a copy: it shows what the app did to them, and will do. */
  #makeSharing(keys: RequestKeys): Request {
    const whole = this.#make();
    stateOf(whole, keys).headersList = stateOf(this.#heldHeaders(), keys).headersList;
    return whole;
  }

  #makeCopying(): Request {
    const headers = this.#headersHolder?.headers ?? pairsOf(this.#exchange.request.headers);
    return this.#make({ headers, signal: this.signal });
  }

  #body(): RequestInit {
    if (!carriesBody(this.#exchange, this.#method)) return {};
    return this.#read ? { body: "" } : bodyInit(this.#exchange);
  }

  static #inherit(): void {
    const { prototype } = LightRequest;
    for (const [name, { get, value, enumerable = false }] of partsOf(BuiltInRequest)) {
      if (Object.hasOwn(prototype, name)) continue;
      const part = function (this: LightRequest): unknown {
        return (get ?? value).call(this.#full());
      };
      const property = get ? { get: part } : { value: part, writable: true };
      Object.defineProperty(prototype, name, { ...property, enumerable, configurable: true });
    }
    Object.setPrototypeOf(prototype, BuiltInRequest.prototype);
    Object.defineProperty(prototype, "constructor", { get: () => Request, configurable: true });
  }

  static #showState(keys: RequestKeys): void {
    const part = (key: symbol, get: (request: LightRequest) => unknown): void => {
      const getter = function (this: LightRequest): unknown {
        return get(this);
      };
      Object.defineProperty(LightRequest.prototype, key, { get: getter, configurable: true });
    };
    part(keys.state, (request) => stateOf(request.#full(), keys));
    part(keys.headers, ({ headers }) => headers);
    part(keys.signal, ({ signal }) => signal);
    for (const key of keys.others) part(key, (request) => Reflect.get(request.#full(), key));
  }
}

function copyFields(from: Headers, to: Headers): void {
  for (const name of [...to.keys()]) to.delete(name);
  for (const [name, value] of from) to.append(name, value);
}

const decoded = (bytes: Uint8Array): string => decoder.decode(bytes);

async function collected(body: RequestBody): Promise<Uint8Array> {
  if (body.whole) return body.whole;
  const pieces: Uint8Array[] = [];
  for (let piece = await body.read(); piece; piece = await body.read()) pieces.push(piece);
  return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
}
