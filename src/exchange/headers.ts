// Header fields on both sides: one flat list of names and values in the sender's order and case, duplicates kept, bytes as
// latin-1 characters (RFC 9110, 5.2 and 5.3).
// Tested by test/exchange/members.test.ts.

/** `[name, value, name, value, ...]`; each character is one byte. */
export type Headers = readonly string[];

/** The highest status of a response: higher ones are invalid, and HTTP/2 and Fetch cannot say them (RFC 9110, 15). */
export const HIGHEST_STATUS = 599;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** The first value of `name` (given in lower case), or undefined. */
export function header(headers: Headers, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    const candidate = headers[i] as string;
    if (candidate.length === name.length && candidate.toLowerCase() === name) return headers[i + 1];
  }
  return undefined;
}

/** Every value of `name` (given in lower case), in order. */
export function headerValues(headers: Headers, name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if ((headers[i] as string).toLowerCase() === name) values.push(headers[i + 1] as string);
  }
  return values;
}

/** Whether `name` is a token (RFC 9110, 5.6.2). */
export const isToken = (name: string): boolean => TOKEN.test(name);

/** Whether `value` is a field value: no CR, LF, NUL or other control but TAB, nothing above one byte (RFC 9110, 5.5). */
export const isFieldValue = (value: string): boolean => !BAD_VALUE.test(value);

/** The fields that concern one connection and never pass through a gateway (RFC 9110, 7.6.1; PEP 3333). */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const TRAILERS = /(^|[\s,])trailers($|[\s,;])/i;

/** Whether a client says that it does not discard trailers (TE; RFC 9110, 10.1.4): it alone is offered and sent any. */
export function takesTrailers(version: string, headers: Headers): boolean {
  if (version === "1.0" || header(headers, "te") === undefined) return false;
  return headerValues(headers, "te").some((value) => TRAILERS.test(value));
}
