// SCGI, as others see it.
export type { SocketLimits } from "../../cgi/socket/limits.ts";
export { type ScgiOptions, scgi } from "./gateway.ts";
export { type ScgiListenerOptions, scgiListener } from "./listener.ts";
