// What happens when an application in this process fails: the client gets the catalogue's sentence, the log the stack.
import { type Exchange, type Log, SallyportError } from "../exchange/index.ts";
import { ownStack } from "./stack.ts";

/** Whatever an application threw, as our error. A SallyportError (a request body that broke off) stays what it is. */
export function appError(error: unknown): SallyportError {
  if (error instanceof SallyportError) return error;
  if (!(error instanceof Error))
    return new SallyportError("APP_RAISED", `the application threw ${describeThrown(error)}`, {
      cause: error,
    });
  const message = `the application raised ${error.name}: ${error.message}`;
  return new SallyportError("APP_RAISED", message, { cause: error, detail: ownStack(error) });
}

/** Fails the exchange with what the application threw; when it is over already, only the log can hear of it. */
export function failWithAppError(exchange: Exchange, error: unknown, log: Log): void {
  const failure = appError(error);
  if (!exchange.closed) return exchange.fail(failure);
  exchange.whenClosed(({ complete }) => {
    // An app whose client left, or stopped sending, usually fails because of that: not worth waking anybody.
    const level = complete && failure.fault !== "client" ? "error" : "debug";
    const fields = { code: failure.code, target: exchange.request.target, detail: failure.detail };
    log[level](`after the end of its response ${failure.message}`, fields);
  });
}

/** A value in a few words, for a message: its type, or its class. */
export function describeThrown(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "function") return `a function (${value.name || "anonymous"})`;
  if (typeof value !== "object") return `a ${typeof value}`;
  const name = (value as object).constructor?.name;
  return name && name !== "Object" ? `an instance of ${name}` : "a plain object";
}
