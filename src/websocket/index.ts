// WebSocket for the protocols that carry it: HTTP/1.1, HTTP/2, a mount.
export { WebSocketClock } from "./clock.ts";
export { type UpgradedStream, type UpgradeTransport, WebSocketHandshake } from "./handshake.ts";
export { WEBSOCKET_LIMITS, type WebSocketLimits } from "./limits.ts";
export { type Opening, readOpening, VERSION } from "./opening.ts";
export { rawRequest } from "./raw-request.ts";
export { type OpeningExchange, opensWebSocket, RawWebSocket } from "./raw-socket.ts";
