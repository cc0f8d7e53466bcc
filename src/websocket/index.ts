// WebSocket for whoever carries it: HTTP/1.1, HTTP/2, a mount.
export { WebSockets } from "./clock.ts";
export { type Carried, type Carrier, ServedHandshake } from "./handshake.ts";
export { DEFAULT_LIMITS, type WebSocketLimits } from "./limits.ts";
export { type Opening, readOpening, VERSION } from "./opening.ts";
export type { Carriage, Ending } from "./session.ts";
