// What every version of HTTP refuses, in the same words and with the same status, and how a refusal is logged.
// Tested by test/protocols/http1/codec.test.ts.
import { type Log, SallyportError } from "../exchange/index.ts";

/** Bytes of a method; registered ones have at most 17. */
export const LONGEST_METHOD = 32;

export const targetTooLong = (limit: number): SallyportError =>
  new SallyportError("TARGET_TOO_LONG", `the request target is longer than ${limit} bytes`);

export const headersTooLarge = (limit: number): SallyportError =>
  new SallyportError("HEADERS_TOO_LARGE", `the headers are larger than ${limit} bytes`);

export const tooManyHeaders = (limit: number): SallyportError =>
  new SallyportError("HEADERS_TOO_LARGE", `more than ${limit} header lines`);

export const bodyTooLarge = (limit: number): SallyportError =>
  new SallyportError("BODY_TOO_LARGE", `the request body is larger than ${limit} bytes`);

/** A tunnel is a proxy's business (RFC 9110, 9.3.6). */
export const notAProxy = (): SallyportError =>
  new SallyportError("METHOD_UNSUPPORTED", "CONNECT: this is not a proxy");

/** Logs an error of a connection, or of a request that never became an exchange. `remote` is the client's address. */
export function logRefusal(log: Log, { message, code, fault }: SallyportError, remote: string): void {
  log.info(message, { code, fault, remote });
}
