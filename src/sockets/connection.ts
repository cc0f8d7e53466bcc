// The facts that all requests of one connection share: its addresses and its encryption.
// Tested by test/sockets/connections.test.ts.
import type { Socket } from "node:net";
import type { RequestHead } from "../exchange/index.ts";
import { socketAddressesOf } from "./addresses.ts";
import { tlsFactsOf } from "./tls/facts.ts";

export type ConnectionFacts = Pick<RequestHead, "scheme" | "remote" | "local" | "tls">;

/** `scheme` is the listener's option; TLS, ours or that of a proxy in front, makes it "https" in any case. */
export function connectionFactsOf(socket: Socket, scheme: "http" | "https" = "http"): ConnectionFacts {
  const { remote, local, encrypted } = socketAddressesOf(socket);
  const tls = tlsFactsOf(socket);
  return { scheme: tls || encrypted ? "https" : scheme, remote, local, tls };
}
