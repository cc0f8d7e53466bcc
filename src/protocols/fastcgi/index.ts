// FastCGI 1.0, both halves, as others see it.
import type { Exchange, FilterData } from "../../exchange/index.ts";

export { type FastcgiListenerOptions, fastcgiListener } from "./application/listener.ts";
export { FASTCGI_LIMITS, type FastcgiLimits } from "./limits.ts";
export { authorized, fastcgi } from "./server/gateway.ts";
export type { FastcgiOptions } from "./server/options.ts";

export type { FilterData };

/** The file's bytes, for a handler that plays the Filter (specification, 6.4). undefined in any other role. */
export const filterData = (exchange: Exchange): FilterData | undefined => exchange.facts?.filterData;

// Earlier names, kept until 1.0.
import { FASTCGI_LIMITS } from "./limits.ts";

/** @deprecated It is called `FASTCGI_LIMITS` now. */
export const DEFAULT_LIMITS: typeof FASTCGI_LIMITS = FASTCGI_LIMITS;
