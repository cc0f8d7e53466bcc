// Which requests the admin listener answers. A token keeps others out. Without one, the web pages that a user of this machine
// has open are the danger: they may not read it under a name of their own (DNS rebinding), nor change anything through the
// browser (cross-site request forgery).
import { createHash, timingSafeEqual } from "node:crypto";
import { header, type RequestHead, SallyportError } from "../exchange/index.ts";
import { type AdminAccess, isLoopback } from "./settings.ts";

export interface AccessGuard {
  /** Why the request is refused; undefined when it is not. */
  refusal(request: RequestHead): SallyportError | undefined;
  /** Whether it may be told more than whether the server is ready. */
  knows(request: RequestHead): boolean;
}

export function guardOf({ place, token }: AdminAccess): AccessGuard {
  const isBearer = token === undefined ? () => true : bearerCheck(token);
  const isHost = token === undefined && place.kind === "tcp" ? isOwnName : () => true;
  return {
    knows: isBearer,
    refusal(request) {
      if (!isHost(request))
        return forbidden("the Host of the request must be localhost or a loopback address");
      if (isFromElsewhere(request)) return forbidden("requests from other web pages are refused");
      return isBearer(request)
        ? undefined
        : new SallyportError("TOKEN_WANTED", "the request has no token, or another one");
    },
  };
}

/** Compared by digests: neither the length nor the first difference shows in the time that it takes. */
function bearerCheck(token: string): (request: RequestHead) => boolean {
  const wanted = digest(token);
  return ({ headers }) => {
    const [, sent] = /^bearer +(\S+) *$/i.exec(header(headers, "authorization") ?? "") ?? [];
    return sent !== undefined && timingSafeEqual(digest(sent), wanted);
  };
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** HTTP/1.0 names no host, and no browser sends it. */
const isOwnName = ({ authority }: RequestHead): boolean => authority === "" || isLoopback(hostOf(authority));

/** Without the port, and the brackets of IPv6. */
export const hostOf = (authority: string): string =>
  authority.replace(/:\d*$/, "").replace(/^\[(.*)\]$/, "$1");

/** Browsers say which page a request comes from (Fetch Metadata); older ones do so with Origin, for all but plain reads. */
export function isFromElsewhere({ headers, authority }: RequestHead): boolean {
  const site = header(headers, "sec-fetch-site");
  if (site !== undefined && site !== "same-origin" && site !== "none") return true;
  const origin = header(headers, "origin");
  return origin !== undefined && origin !== `http://${authority}`;
}

const forbidden = (why: string): SallyportError => new SallyportError("FORBIDDEN", why);
