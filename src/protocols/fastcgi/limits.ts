// The limits of the application's half of FastCGI, in bytes, milliseconds and numbers.

export interface FastcgiLimits {
  /** Connections at the same time; announced as FCGI_MAX_CONNS. */
  readonly connections: number;
  /** Requests at the same time on one connection; one more is answered with FCGI_OVERLOADED. */
  readonly requests: number;
  /** Bytes of PARAMS of one request: its whole head. */
  readonly params: number;
  /** Bytes of a request body, and of a filter's data. More: 413. */
  readonly body: number;
  /**
   * Bytes of request body that may wait unread where requests share a connection; then the connection is not read. Nor is it
   * when the server asks for more while more than these wait for it.
   */
  readonly buffered: number;
  /** Bytes of response that wait for the server, for each request. */
  readonly unsent: number;
  /** How long the parameters of a request may take, and then how long it may send nothing while it is not complete. */
  readonly receiveTimeout: number;
  /** How long a kept connection may be idle. */
  readonly idleTimeout: number;
  /** How long the server may read nothing while a response waits. */
  readonly sendTimeout: number;
  /** How long we wait for the server's end of the connection after ours. */
  readonly lingerTimeout: number;
}

export const FASTCGI_LIMITS: FastcgiLimits = {
  connections: 1_024,
  requests: 128,
  params: 131_072,
  body: 2 ** 31,
  buffered: 1_048_576,
  unsent: 65_536,
  receiveTimeout: 60_000,
  idleTimeout: 600_000,
  sendTimeout: 60_000,
  lingerTimeout: 2_000,
};
