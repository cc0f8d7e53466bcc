// WSGI as others see it.
export { type WsgiOnlyOptions, type WsgiOptions, wsgi, wsgiSpec } from "./gateway.ts";
