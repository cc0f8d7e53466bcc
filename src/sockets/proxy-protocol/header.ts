// The content of a PROXY header (HAProxy's "The PROXY protocol") of either version.
// Tested by test/sockets/proxy-protocol/codec.test.ts.
import { type Address, SallyportError } from "../../exchange/index.ts";

export interface ProxyHeader {
  /** Those of the client's connection; undefined where the proxy speaks for itself, or does not know them. */
  readonly addresses: { readonly remote: Address; readonly local: Address } | undefined;
  /** The client speaks TLS with the proxy. */
  readonly encrypted: boolean;
}

/** The connection's own addresses count: a health check (LOCAL), a client of another kind (UNKNOWN, UNSPEC). */
export const NO_ADDRESSES: ProxyHeader = { addresses: undefined, encrypted: false };

/** For an invalid header; its sender only sees the end of the connection. */
export const bad = (why: string): SallyportError => new SallyportError("BAD_REQUEST", `PROXY header: ${why}`);
