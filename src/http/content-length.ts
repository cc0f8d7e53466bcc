// Content-Length, as a request or a response head says it (RFC 9110, 8.6).
// Tested by test/protocols/http1/codec.test.ts.
import { header, type ResponseHead } from "../exchange/index.ts";

/** Digits only, and few enough that a number holds them exactly. */
const LENGTH = /^[0-9]{1,15}$/;

/** The number of bytes; -1 when `value` is absent or malformed. */
export const readContentLength = (value: string | undefined): number =>
  value !== undefined && LENGTH.test(value) ? Number(value) : -1;

/** The length that a response without a body (HEAD, 304) may still announce; -1 for none, as always with a 204. */
export const announcedLength = ({ status, headers }: ResponseHead): number =>
  status === 204 ? -1 : readContentLength(header(headers, "content-length"));
