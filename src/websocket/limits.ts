// All limits of an open WebSocket: bytes, counts, and waits in milliseconds.

export interface WebSocketLimits {
  /** Bytes of a message, after decompression. More: 1009. */
  readonly message: number;
  /** Frames of one message. More: 1008. */
  readonly fragments: number;
  /** Bytes of messages that may wait for a slow client. More: `send` answers false. */
  readonly unsent: number;
  /** Whether messages may be compressed (RFC 7692). */
  readonly compress: boolean;
  /** Bytes from which on we compress a message. */
  readonly compressFrom: number;
  /** Between two pings. 0: none are sent. */
  readonly pingInterval: number;
  /** From a ping to the client's next byte. Then it counts as gone: 1006. */
  readonly pingTimeout: number;
  /** From our close frame to the client's, and again to the end of the connection. Then it is cut. While the client still reads what comes before, `sendTimeout` counts. */
  readonly closeTimeout: number;
  /** Without the client reading a byte of waiting messages. Then the connection is cut. */
  readonly sendTimeout: number;
}

export const WEBSOCKET_LIMITS: WebSocketLimits = {
  message: 2 ** 24,
  fragments: 131_072,
  unsent: 65_536,
  compress: true,
  compressFrom: 1_024,
  pingInterval: 20_000,
  pingTimeout: 20_000,
  closeTimeout: 10_000,
  sendTimeout: 60_000,
};
