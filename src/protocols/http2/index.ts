// The server's half of HTTP/2: what other folders may import.
export { HTTP2_LIMITS, type Http2Limits, STREAM_LIMITS, type StreamLimits } from "./limits.ts";
export { type Http2Options, http2Listener } from "./listener.ts";

// Earlier names, kept until 1.0.
import { HTTP2_LIMITS } from "./limits.ts";

/** @deprecated It is called `HTTP2_LIMITS` now. */
export const DEFAULT_LIMITS: typeof HTTP2_LIMITS = HTTP2_LIMITS;
