// An error on its way to another process: without its stack and its cause, and an error of the same code again there.
import { ERRORS, type ErrorCode, type ErrorName, SallyportError } from "../exchange/index.ts";

export interface SentError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly detail?: string;
}

export function sentErrorOf(reason: unknown): SentError {
  const { code, message, detail } = SallyportError.from(reason);
  return { code, message, ...(detail === undefined ? {} : { detail }) };
}

/** An unknown code, of another version, becomes INTERNAL. */
export function receivedError({ code, message, detail }: SentError): SallyportError {
  const name = code.replace("ERR_SALLYPORT_", "") as ErrorName;
  return new SallyportError(Object.hasOwn(ERRORS, name) ? name : "INTERNAL", message, { detail });
}
