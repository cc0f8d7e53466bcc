// Faults of a response head in any version of HTTP (RFC 9110, 5.1, 5.5, 15): the last check against response splitting.
import { type Headers, HeadLines, isFieldValue, type ResponseHead } from "../exchange/index.ts";
import { fieldName } from "./fields.ts";

/** A whole head, as its maker should have checked it. */
const LINES =
  /^[0-9]{3}(?: [\t\x20-\x7e\x80-\xff]*)?\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*\r\n)*$/;

/** `undefined` when `head` may be sent; otherwise why not. */
export function headFault(head: ResponseHead): string | undefined {
  const { status } = head;
  if (!Number.isInteger(status) || status < 200 || status > 999)
    return "a status that is not between 200 and 999";
  if (head instanceof HeadLines && LINES.test(head.lines)) return undefined;
  const { reason, headers } = head;
  return isFieldValue(reason) ? fieldsFault(headers) : "a control character in the reason phrase";
}

/** The same for a bare list of fields: a trailer, an informational response. */
export function fieldsFault(headers: Headers): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    if (fieldName(headers[i] as string) === undefined) return "a header name that is not a token";
    if (!isFieldValue(headers[i + 1] as string)) return "a control character in a header value";
  }
  return undefined;
}
