// How long the body of an application's response is, where its head tells (RFC 9112, 6.3): the response is complete then,
// whatever the application does next.
// Tested by test/protocols/fastcgi/server/attempt.test.ts.
import { hasBody, header, type ResponseHead } from "../exchange/index.ts";

/** Bytes of body that complete the response to `method`; infinite when only its end does. */
export function bodyLength(method: string, { status, headers }: ResponseHead): number {
  if (!hasBody(method, status)) return 0;
  return Number(header(headers, "content-length") ?? Number.POSITIVE_INFINITY);
}
