// The head of a Response as a list that can be sent as it is: the same one that Node's own Response would give.
// Tested by test/apps/fast-response.test.ts.
import { isToken, type ResponseHead } from "../exchange/index.ts";

type Field = readonly [name: string, value: string];

const PLAIN: ResponseHead = { status: 200, reason: "", headers: [] };
/** Statuses whose Response cannot have a body (Fetch, 2.2.3). */
const NULL_BODY: ReadonlySet<number> = new Set([204, 205, 304]);
/** What the standard leaves as it is: no white space at the ends, no control characters (Fetch, 2.2.2). */
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;

/** Undefined for whatever is rare or wrong: Node's own constructor decides about that. */
export function headOfInit(init: ResponseInit | undefined, bodyless: boolean): ResponseHead | undefined {
  if (init === undefined) return PLAIN;
  if (typeof init !== "object" || init === null) return undefined;
  const { status = 200, statusText: reason = "", headers: given } = init;
  if (!isPlainStatus(status, bodyless) || !isPlainValue(reason)) return undefined;
  const headers = given === undefined ? PLAIN.headers : fieldsOf(given);
  return headers && { status, reason, headers };
}

/** `head` with this Content-Type, unless it has one. */
export function withType(head: ResponseHead, type: string): ResponseHead {
  const { status, reason, headers } = head;
  if (headers.length === 0) return { status, reason, headers: ["content-type", type] };
  let place = 0;
  while (place < headers.length && (headers[place] as string) < "content-type") place += 2;
  if (headers[place] === "content-type") return head;
  return { status, reason, headers: headers.toSpliced(place, 0, "content-type", type) };
}

const isPlainStatus = (status: unknown, bodyless: boolean): boolean =>
  typeof status === "number" &&
  Number.isInteger(status) &&
  status >= 200 &&
  status <= 599 &&
  (bodyless || !NULL_BODY.has(status));

const isPlainValue = (value: unknown): value is string => typeof value === "string" && VALUE.test(value);

/** Names in lower case and in order, as Node's own gives them. */
function fieldsOf(given: NonNullable<ResponseInit["headers"]>): readonly string[] | undefined {
  const entries = entriesOf(given);
  if (!entries) return undefined;
  const fields: Field[] = [];
  for (const [name, value] of entries) {
    if (!isPlainValue(value) || !isToken(name)) return undefined;
    fields.push([name.toLowerCase(), value]);
  }
  if (fields.length > 1) fields.sort(byName);
  return fields.some(repeats) ? undefined : fields.flat();
}

/** Of Headers and of plain objects. */
function entriesOf(given: NonNullable<ResponseInit["headers"]>): Iterable<[string, unknown]> | undefined {
  if (given instanceof Headers) return given;
  if (typeof given !== "object" || given === null) return undefined;
  return Object.getPrototypeOf(given) === Object.prototype ? Object.entries(given) : undefined;
}

const byName = ([a]: Field, [b]: Field): number => (a < b ? -1 : a > b ? 1 : 0);

/** The values of one name are to be joined, but for cookies. */
const repeats = ([name]: Field, i: number, fields: readonly Field[]): boolean =>
  i > 0 && fields[i - 1]?.[0] === name && name !== "set-cookie";
