// Trailers: the fields that they may have, in either direction (RFC 9110, 6.5.1).
// Tested by test/protocols/http1/responses.test.ts.
import { type Headers, HOP_BY_HOP, isFieldValue, isToken } from "../exchange/index.ts";

/** Taken from a trailer, they would change how the message is framed, routed, trusted or read. */
export const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  ..."authorization cache-control connection content-encoding content-length content-range content-type cookie".split(
    " ",
  ),
  ..."expect forwarded host keep-alive max-forwards pragma proxy proxy-authenticate proxy-authorization".split(
    " ",
  ),
  ..."proxy-connection range set-cookie te trailer transfer-encoding upgrade www-authenticate".split(" "),
]);

/** Those, what tells how to use a response, and the one field more that HTTP/2 must not have (RFC 9113, 8.2.2). */
const NOT_IN_RESPONSE_TRAILERS: ReadonlySet<string> = new Set([
  ...NOT_IN_TRAILERS,
  ...HOP_BY_HOP,
  ..."age date expires http2-settings location retry-after vary".split(" "),
]);

/** The trailers of a response that may be sent: well-formed ones that may stand there. The others are left out. */
export function responseTrailers(trailers: Headers): Headers {
  const kept: string[] = [];
  for (let i = 0; i < trailers.length; i += 2) {
    const [name, value] = [trailers[i] as string, trailers[i + 1] as string];
    if (isToken(name) && isFieldValue(value) && !NOT_IN_RESPONSE_TRAILERS.has(name.toLowerCase()))
      kept.push(name, value);
  }
  return kept;
}
