// The uwsgi protocol, as others see it.
export type { SocketLimits } from "../../cgi/socket/limits.ts";
export { type UwsgiOptions, uwsgi } from "./gateway.ts";
export { type UwsgiListenerOptions, uwsgiListener } from "./listener.ts";
