// What all requests of one connection have in common: its ends and its encryption, whichever way it came in.
import type { Socket } from "node:net";
import type { RequestHead } from "../exchange/index.ts";
import { socketAddressesOf } from "./addresses.ts";
import { tlsFactsOf } from "./tls/facts.ts";

export type ConnectionFacts = Pick<RequestHead, "scheme" | "remote" | "local" | "tls">;

/** `scheme` is what the listener was told; encryption, ours or that of a proxy in front, makes it "https" in any case. */
export function connectionFactsOf(socket: Socket, scheme: "http" | "https" = "http"): ConnectionFacts {
  const { remote, local, encrypted } = socketAddressesOf(socket);
  const tls = tlsFactsOf(socket);
  return { scheme: tls || encrypted ? "https" : scheme, remote, local, tls };
}
