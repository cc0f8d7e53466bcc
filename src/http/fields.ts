// Field lines, both directions (RFC 9110, 5; RFC 9112, 5). Each name is stored once, with its lower case.
// Tested by test/protocols/http1/codec.test.ts.
import { isFieldValue, isToken, SallyportError } from "../exchange/index.ts";
import { tooManyHeaders } from "./refusals.ts";

export interface FieldName {
  /** As it was sent. */
  readonly name: string;
  readonly lower: string;
}

const MOST_NAMES = 1_024;
const LONGEST_NAME = 64;
const known = new Map<string, FieldName>();

/** `sent` with its lower case; undefined when it is not a token. */
export const fieldName = (sent: string): FieldName | undefined => known.get(sent) ?? learn(sent);

function learn(sent: string): FieldName | undefined {
  if (!isToken(sent)) return undefined;
  if (sent.length > LONGEST_NAME) return { name: sent, lower: sent.toLowerCase() };
  // A copy: the substring would keep the whole head it was cut from alive.
  const name = Buffer.from(sent, "latin1").toString("latin1");
  const entry = { name, lower: name.toLowerCase() };
  // A flood of invented names only empties the table.
  if (known.size >= MOST_NAMES) known.clear();
  known.set(name, entry);
  return entry;
}

/** Gets each field that `readFields` finds. */
export interface FieldSink {
  field(name: FieldName, value: string): void;
}

/**
 * Reads the lines of `text` from `at` on, each ended by CRLF. No folded lines (RFC 9112, 5.2), nothing between name and colon
 * (5.1), no CR, LF, NUL or other control in a value: request smuggling is built from those.
 */
export function readFields(text: string, at: number, most: number, sink: FieldSink): void {
  let left = most;
  for (let start = at; start < text.length; ) {
    if (left-- === 0) throw tooManyHeaders(most);
    const end = text.indexOf("\r\n", start);
    const colon = text.indexOf(":", start);
    if (colon < 0 || colon > end) throw new SallyportError("BAD_REQUEST", "a header line without a colon");
    const name = fieldName(text.slice(start, colon));
    if (name === undefined) throw new SallyportError("BAD_REQUEST", "a header name that is not a token");
    const value = trimmed(text, colon + 1, end);
    if (!isFieldValue(value)) throw new SallyportError("BAD_REQUEST", "a control character in a header");
    sink.field(name, value);
    start = end + 2;
  }
}

/** Fields whose lines cannot be joined by commas (RFC 9110, 5.3; RFC 6265, 3). */
export const APART: ReadonlySet<string> = new Set(["set-cookie", "www-authenticate"]);

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

/** `value` without blanks at its edges. They mean nothing (RFC 9110, 5.5), and HTTP/2 must not have them (RFC 9113, 8.2.1). */
export function withoutEdges(value: string): string {
  const { length } = value;
  if (!isBlank(value.charCodeAt(0)) && !isBlank(value.charCodeAt(length - 1))) return value;
  return trimmed(value, 0, length);
}

/** The values of two lines of a field as one (RFC 9110, 5.3), without empty members (5.6.1), which might stand at an edge. */
export const joined = (first: string, second: string): string =>
  first !== "" && second !== "" ? `${first}, ${second}` : first + second;

function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/** Whether the comma-separated `value` has `token` (in lower case) among its members. */
export function hasMember(value: string, token: string): boolean {
  if (value === token) return true;
  if (value.length < token.length) return false;
  for (const member of value.toLowerCase().split(",")) if (member.trim() === token) return true;
  return false;
}
