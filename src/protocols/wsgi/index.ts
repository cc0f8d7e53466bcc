// WSGI as others see it.
export { type WsgiOnlyOptions, type WsgiOptions, wsgi, wsgiSpoken } from "./gateway.ts";
