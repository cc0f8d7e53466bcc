// From Node 24 on the state of a Request is private: only Node's own constructor makes one that `new Request(request)` and
// `fetch(request)` accept, and it makes all of it at once. A program that lets us replace both gets light Requests there, too.
import { requestKeys } from "./fetch-internals.ts";
import { BuiltInRequest } from "./node-classes.ts";

type Input = ConstructorParameters<typeof Request>[0];
type Init = ConstructorParameters<typeof Request>[1];

/** Of a light Request: gives the whole one. A registered symbol, since app and server may each have their own copy of this module. */
export const WHOLE: unique symbol = Symbol.for("sallyport.request.whole") as never;
/** Of a class of Requests: it asks a light one for the whole one. Subclasses inherit it. */
const KNOWS_LIGHT = Symbol.for("sallyport.request.knows-light");

interface Light {
  [WHOLE]?(): Request;
}

class FastRequest extends BuiltInRequest {
  static readonly [KNOWS_LIGHT] = true;

  constructor(input: Input, init?: Init) {
    super(wholeOf(input), init);
  }

  /** The Requests that others make, and those of before, are still instances of `Request`, but of no subclass. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: subclasses inherit this method
    const asked = this === FastRequest ? BuiltInRequest : this;
    return Function.prototype[Symbol.hasInstance].call(asked, value);
  }
}

function wholeOf(input: Input): Input {
  if (typeof input !== "object" || input === null) return input;
  return (input as Light)[WHOLE]?.() ?? input;
}

/** Whether an app can be given a light Request: what it can do with it works. */
export const acceptsLight = (): boolean =>
  requestKeys !== undefined || (Request as { [KNOWS_LIGHT]?: boolean })[KNOWS_LIGHT] === true;

/**
 * Replaces the global Request and fetch by ones that accept the light Requests of our server, which it then makes. Up to Node 22 it
 * makes them anyway, and nothing is replaced.
 */
export function useFastRequests(): void {
  if (acceptsLight()) return;
  const { fetch: fetchWhole } = globalThis;
  globalThis.Request = FastRequest;
  // As in Node, its second parameter is optional: `fetch.length` is 1.
  globalThis.fetch = function fetch(input, init = undefined) {
    return fetchWhole(wholeOf(input), init);
  };
}
