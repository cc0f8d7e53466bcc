// The web's half of HTTP/1.1, as others see it.

export { DEFAULT_LIMITS, type HttpLimits } from "../../http/limits.ts";
export { DEFAULT_LIMITS as WEBSOCKET_LIMITS, type WebSocketLimits } from "../../websocket/index.ts";
export { type DataEvent, type EndEvent, type RequestEvent, RequestParser } from "./codec.ts";
export type { HeadEvent } from "./head.ts";
export { type HttpOptions, httpListener } from "./listener.ts";
