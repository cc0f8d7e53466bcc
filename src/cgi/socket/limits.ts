// The limits of a listener that gets one request a connection: bytes, counts, and waits in milliseconds.

export interface SocketLimits {
  /** Bytes of all meta-variables of a request. More: 431. A packet of uwsgi holds 65,535 at the most. */
  readonly variables: number;
  /** Bytes of a request body. More: 413. */
  readonly body: number;
  /** Bytes of a response that may wait for a slow peer. More: `write` returns false. */
  readonly unsent: number;
  /** Connections at once. More: 503. */
  readonly connections: number;
  /** From the start of the connection to the last meta-variable. Then 408. */
  readonly headTimeout: number;
  /** Without a byte of a body that we are reading. Then 408. */
  readonly bodyTimeout: number;
  /** Without the peer taking a byte of the response. Then it is cut. */
  readonly sendTimeout: number;
  /** From the peer's end of the connection, after a whole request, to a sign that it still reads. Then it has left. */
  readonly halfClosed: number;
  /** From our end of the connection to the peer's. Then it is destroyed. */
  readonly lingerTimeout: number;
  /** How long a Unix socket, which has no reset, stays open and silent to show a cut; longer than the peer waits. */
  readonly cutTimeout: number;
}

export const SOCKET_LIMITS: SocketLimits = {
  variables: 131_072,
  body: 2 ** 31,
  unsent: 65_536,
  connections: 10_000,
  headTimeout: 10_000,
  bodyTimeout: 30_000,
  sendTimeout: 60_000,
  halfClosed: 5_000,
  lingerTimeout: 5_000,
  cutTimeout: 75_000,
};
