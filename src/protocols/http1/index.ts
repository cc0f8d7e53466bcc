// The server's half of HTTP/1.1: what other folders may import.

export { HTTP_LIMITS, type HttpLimits } from "../../http/limits.ts";
export { WEBSOCKET_LIMITS, type WebSocketLimits } from "../../websocket/index.ts";
export { type DataEvent, type EndEvent, type RequestEvent, RequestParser } from "./codec.ts";
export type { HeadEvent } from "./head.ts";
export { type HttpOptions, httpListener } from "./listener.ts";

// Earlier names, kept until 1.0.
import { HTTP_LIMITS } from "../../http/limits.ts";

/** @deprecated It is called `HTTP_LIMITS` now. */
export const DEFAULT_LIMITS: typeof HTTP_LIMITS = HTTP_LIMITS;
