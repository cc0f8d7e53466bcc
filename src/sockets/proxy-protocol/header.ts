// What a PROXY header says (HAProxy's "The PROXY protocol", versions 1 and 2), whichever version said it.
import { type Address, SallyportError } from "../../exchange/index.ts";

export interface ProxyHeader {
  /** The ends of the client's connection; undefined where the proxy speaks for itself, or does not know them. */
  readonly addresses: { readonly remote: Address; readonly local: Address } | undefined;
  /** The client speaks TLS with the proxy. */
  readonly encrypted: boolean;
}

/** The connection's own ends count: a health check (LOCAL), a client of another kind (UNKNOWN, UNSPEC). */
export const NO_ADDRESSES: ProxyHeader = { addresses: undefined, encrypted: false };

/** A header that cannot be believed; whoever sent it is not told more than the end of the connection. */
export const bad = (why: string): SallyportError => new SallyportError("BAD_REQUEST", `PROXY header: ${why}`);
