// ASGI as others see it.
export { type AsgiOnlyOptions, type AsgiOptions, asgi, asgiSpec } from "./gateway.ts";
