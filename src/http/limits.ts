// All limits of the HTTP/1.1 listener: bytes, counts, and waits in milliseconds.

export interface HttpLimits {
  /** Bytes of a request target. More: 414. */
  readonly target: number;
  /** Bytes of all header field lines of a request, or of its trailer. More: 431. */
  readonly headerBytes: number;
  /** Header field lines of a request, or of its trailer. More: 431. */
  readonly headerCount: number;
  /** Bytes of a request body. More: 413. */
  readonly body: number;
  /** Bytes of one chunk-size line, extension included. More: 400. */
  readonly chunkLine: number;
  /** Bytes of all chunk extensions of one request. More: 400. */
  readonly chunkExtensions: number;
  /** Bytes of pipelined requests that may wait while an earlier one is answered. More: reading stops. */
  readonly pipelined: number;
  /** Bytes of a response that may wait for a slow client. More: `write` answers false. */
  readonly unsent: number;
  /** Bytes of an unwanted request body that are read and dropped, so that the connection can be reused. More: it closes. */
  readonly drain: number;
  /** Connections at once. More: 503. */
  readonly connections: number;
  /** From the first byte of a request (on a new connection: from its start) to the end of the head. Then 408. */
  readonly headTimeout: number;
  /** Without a byte of a request body while we read it. Then 408. */
  readonly bodyTimeout: number;
  /** Without a request on an idle connection. Then it closes. */
  readonly idleTimeout: number;
  /** Without the client reading a byte of a waiting response. Then the connection is cut. */
  readonly sendTimeout: number;
  /** For the rest of an unwanted request body. Then the connection closes. */
  readonly drainTimeout: number;
  /** From the end of our side to the end of the client's. Then the connection is destroyed. */
  readonly lingerTimeout: number;
}

export const HTTP_LIMITS: HttpLimits = {
  target: 16_384,
  headerBytes: 32_768,
  headerCount: 200,
  body: 2 ** 31,
  chunkLine: 1_024,
  chunkExtensions: 16_384,
  pipelined: 65_536,
  unsent: 65_536,
  drain: 262_144,
  connections: 10_000,
  headTimeout: 10_000,
  bodyTimeout: 30_000,
  idleTimeout: 75_000,
  sendTimeout: 60_000,
  drainTimeout: 5_000,
  lingerTimeout: 5_000,
};
