// The web's half of HTTP/2, as others see it.
export { DEFAULT_LIMITS, type Http2Limits, STREAM_LIMITS, type StreamLimits } from "./limits.ts";
export { type Http2Options, http2Listener } from "./listener.ts";
