// WSGI as others see it.
export { type WsgiOptions, wsgi } from "./gateway.ts";
