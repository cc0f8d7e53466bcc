// Which requests the demonstration answers below /demo/. Pages from elsewhere that a user has open must not start a race, nor
// read recordings under a name of their own (DNS rebinding).
import { isIP } from "node:net";
import { hostOf, isFromElsewhere } from "../admin/guard.ts";
import { isLoopback } from "../admin/settings.ts";
import { type RequestHead, SallyportError } from "../exchange/index.ts";

/** Throws FORBIDDEN. `host`: where the demonstration listens. */
export function checkOrigin(request: RequestHead, host: string): void {
  const named = hostOf(request.authority);
  if (named !== "" && !isLoopback(named) && isIP(named) === 0 && named !== host)
    throw forbidden(
      `the Host of the request is ${named}: open the demonstration by the address of this machine`,
    );
  if (isFromElsewhere(request)) throw forbidden("requests from other web pages are refused");
}

const forbidden = (why: string): SallyportError => new SallyportError("FORBIDDEN", why);
