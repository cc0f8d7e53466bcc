// How a connection that speaks HTTP/2 from its first byte on begins (RFC 9113, 3.3, 3.4).

/** Up to where it could be nothing else; what follows is for whoever speaks it to judge. */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n");

/** Whether a connection that begins with `bytes` speaks HTTP/2; undefined while that is open. */
export function beginsHttp2(bytes: Buffer): boolean | undefined {
  const size = Math.min(bytes.length, PREFACE.length);
  if (bytes.compare(PREFACE, 0, size, 0, size) !== 0) return false;
  return size === PREFACE.length ? true : undefined;
}
