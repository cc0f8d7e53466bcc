// The fields that a trailer may not have (RFC 9110, 6.5.1).

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
