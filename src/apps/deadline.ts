// The time that an application has for its response head.
// Tested by test/apps/fetch.test.ts.
import { type Exchange, SallyportError } from "../exchange/index.ts";

/** Fails the exchange with APP_TIMEOUT unless a head was given within `seconds`; undefined or 0 is no limit. */
export function headWithin(exchange: Exchange, seconds: number | undefined): void {
  if (!seconds || exchange.closed) return;
  const timer = setTimeout(() => {
    if (exchange.started) return;
    exchange.fail(new SallyportError("APP_TIMEOUT", `the application gave no response within ${seconds} s`));
  }, seconds * 1000);
  timer.unref();
  exchange.whenClosed(() => clearTimeout(timer));
}
