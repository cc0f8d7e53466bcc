// FastCGI 1.0, both halves, as others see it.
export { type FilterData, filterData } from "./data.ts";
export { authorized, fastcgi } from "./gateway.ts";
export { DEFAULT_LIMITS, type FastcgiLimits } from "./limits.ts";
export { type FastcgiListenerOptions, fastcgiListener } from "./listener.ts";
export type { FastcgiOptions } from "./options.ts";
