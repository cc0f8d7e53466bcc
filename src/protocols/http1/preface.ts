// How a connection begins that speaks HTTP/2 from its first byte on (RFC 9113, 3.3, 3.4).
// Tested by test/server/web.test.ts.

/** As much of the preface as tells it from HTTP/1.1; the listener of HTTP/2 checks the rest. */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n");

/** Whether a connection that begins with `bytes` speaks HTTP/2; undefined while that is not certain. */
export function beginsHttp2(bytes: Buffer): boolean | undefined {
  const size = Math.min(bytes.length, PREFACE.length);
  if (bytes.compare(PREFACE, 0, size, 0, size) !== 0) return false;
  return size === PREFACE.length ? true : undefined;
}
