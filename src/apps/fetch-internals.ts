// The state that Node's own implementation of the Fetch standard (undici) keeps on its objects. Up to Node 22 it is found
// under symbols, so that a Request can be made late and a Response read without a stream. From Node 24 on it is private, and
// only the standard's interface is used, which is faster there.
// Tested by test/apps/fetch-request.test.ts.

import { BuiltInResponse } from "./node-classes.ts";

const DISTURBED = Symbol.for("nodejs.stream.disturbed");
const TAKEN = Symbol("sallyport.taken");

/** The value under the symbol "state" of a Request or a Response. */
export interface FetchRequestState {
  headersList: object;
  body: { source: unknown; stream: ReadableStream<Uint8Array>; [TAKEN]?: boolean } | null;
}

/** The symbols under which a Request keeps its parts. */
export interface RequestKeys {
  readonly state: symbol;
  readonly headers: symbol;
  readonly signal: symbol;
  /** All others, whose meaning does not matter here. */
  readonly others: readonly symbol[];
}

export const requestKeys: RequestKeys | undefined = findKeys();

export function stateOf(object: Request | Response, { state }: RequestKeys): FetchRequestState {
  return (object as unknown as Record<symbol, FetchRequestState>)[state] as FetchRequestState;
}

/**
 * The body of a Response that was made of a text or of bytes, and of which nothing was read; otherwise undefined. It can be
 * taken once; after that its stream is locked, as after any other reader.
 */
export function takeSource(response: Response): string | Uint8Array | undefined {
  const body = requestKeys && stateOf(response, requestKeys)?.body;
  if (!body) return undefined;
  const { source, stream } = body;
  if (typeof source !== "string" && !(source instanceof Uint8Array)) return undefined;
  if (stream.locked || isDisturbed(stream)) return undefined;
  if (body[TAKEN]) {
    stream.getReader();
    return undefined;
  }
  body[TAKEN] = true;
  return source;
}

/** Whether something was read: as `bodyUsed`, but faster. */
function isDisturbed(stream: ReadableStream): unknown {
  return Reflect.get(stream, DISTURBED);
}

/** Undefined unless all of the state is where it is expected. */
function findKeys(): RequestKeys | undefined {
  const request = new Request("http://localhost/", { method: "POST", body: "text" });
  const symbols = Object.getOwnPropertySymbols(request);
  const [state, headers, signal] = ["state", "headers", "signal"].map((name) =>
    symbols.find(({ description }) => description === name),
  );
  if (!state || !headers || !signal) return undefined;
  const others = symbols.filter((symbol) => symbol !== state && symbol !== headers && symbol !== signal);
  const keys = { state, headers, signal, others };
  return fits(stateOf(request, keys)) && fits(stateOf(new BuiltInResponse("text"), keys)) ? keys : undefined;
}

function fits(state: Partial<FetchRequestState> | undefined): boolean {
  const { headersList, body } = state ?? {};
  return typeof headersList === "object" && body?.source === "text" && isDisturbed(body.stream) === false;
}
