// ASGI as others see it.
export { type AsgiOnlyOptions, type AsgiOptions, asgi, asgiSpoken } from "./gateway.ts";
