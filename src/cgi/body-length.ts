// How long the body of an application's response is, where its head tells (RFC 9112, 6.3): the response is complete then,
// whatever the application does next.
// Tested by test/protocols/fastcgi/server/attempt.test.ts.
import { hasBody, header, type ResponseHead } from "../exchange/index.ts";

/** It has no content (RFC 9110, 15.3.6). */
const RESET_CONTENT = 205;

/** Bytes of body that complete the response to `method`; infinite when only its end does. */
export function bodyLength(method: string, { status, headers }: ResponseHead): number {
  if (!hasBody(method, status) || status === RESET_CONTENT) return 0;
  return Number(header(headers, "content-length") ?? Number.POSITIVE_INFINITY);
}
