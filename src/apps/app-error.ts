// An application in this process fails: the client gets the sentence of the error's code, the log gets the stack.
// Tested by test/apps/fetch.test.ts.
import { type Exchange, type Log, SallyportError } from "../exchange/index.ts";
import { thrownOf } from "../exchange/thrown.ts";
import { ownStack } from "./stack.ts";

/** The thrown value as an error of ours. A SallyportError (a request body that broke off) stays as it is. */
export function appError(error: unknown): SallyportError {
  if (error instanceof SallyportError) return error;
  if (!(error instanceof Error))
    return new SallyportError("APP_RAISED", `the application threw ${describeThrown(error)}`, {
      cause: error,
    });
  const thrown = thrownOf(error);
  const message = `the application raised ${thrown.name}: ${thrown.message}`;
  return new SallyportError("APP_RAISED", message, { cause: error, detail: ownStack(error) });
}

/** Fails the exchange with the thrown value, or logs it when the exchange is already over. */
export function failWithAppError(exchange: Exchange, error: unknown, log: Log): void {
  const failure = appError(error);
  if (!exchange.closed) return exchange.fail(failure);
  exchange.whenClosed(({ complete }) => {
    // An app whose client left, or stopped sending, usually fails because of that: no alarm.
    const level = complete && failure.fault !== "client" ? "error" : "debug";
    const fields = { code: failure.code, target: exchange.request.target, detail: failure.detail };
    log[level](`after the end of its response ${failure.message}`, fields);
  });
}

/** The type of a value, or its class, for a message. */
export function describeThrown(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "function") return `a function (${value.name || "anonymous"})`;
  if (typeof value !== "object") return `a ${typeof value}`;
  const name = (value as object).constructor?.name;
  return name && name !== "Object" ? `an instance of ${name}` : "a plain object";
}
