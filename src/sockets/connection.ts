// What all requests of one connection have in common: its ends and its encryption, whichever way it came in.
import type { Socket } from "node:net";
import type { RequestHead } from "../exchange/index.ts";
import { endsOf } from "./addresses.ts";
import { tlsFactsOf } from "./tls/facts.ts";

export type Connection = Pick<RequestHead, "scheme" | "remote" | "local" | "tls">;

/** `scheme` is what the listener was told; encryption, ours or that of a proxy in front, makes it "https" in any case. */
export function connectionOf(socket: Socket, scheme: "http" | "https" = "http"): Connection {
  const { remote, local, encrypted } = endsOf(socket);
  const tls = tlsFactsOf(socket);
  return { scheme: tls || encrypted ? "https" : scheme, remote, local, tls };
}
