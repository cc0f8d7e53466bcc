// FastCGI 1.0, both halves, as others see it.
export { type FilterData, filterData } from "./application/data.ts";
export { type FastcgiListenerOptions, fastcgiListener } from "./application/listener.ts";
export { DEFAULT_LIMITS, type FastcgiLimits } from "./limits.ts";
export { authorized, fastcgi } from "./server/gateway.ts";
export type { FastcgiOptions } from "./server/options.ts";
