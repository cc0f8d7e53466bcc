// Refusals before there is an exchange that could fail, for both kinds of handlers.
// Tested by test/mount/life.test.ts.
import { type Log, SallyportError } from "../exchange/index.ts";

export const outsideOfMount = (url: string | undefined): SallyportError =>
  new SallyportError("NOT_FOUND", `${url} is outside of the mount`);

/** Logs as an exchange logs its own failures. */
export function logMountRefusal(log: Log, error: SallyportError): void {
  const level = error.fault === "client" ? "info" : "error";
  log[level](error.message, { code: error.code, fault: error.fault });
}
