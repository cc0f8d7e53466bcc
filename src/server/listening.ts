// The sockets of a server that listen, each with what its connections are given to: a reload keeps those whose address stays, and
// may hand them to another frontend once nothing can fail any more.
// Tested by test/server/reload.test.ts.
import { addressIn, type ListenAddress } from "../config/address.ts";
import { type Change, placeKeys } from "./change.ts";
import type { Accept } from "./frontend.ts";
import { type Bound, bind } from "./listen.ts";

/** After a reload its connections may go to another frontend, by another protocol. */
export interface ListeningSocket {
  readonly bound: Bound;
  url: string;
  accept: Accept;
}

/** By `placeKeys`. */
export type ListeningSockets = ReadonlyMap<string, ListeningSocket>;

export interface ChangedSockets {
  readonly sockets: ListeningSockets;
  /** Gives the connections of sockets that were there before to the new frontend. */
  readonly handOver: () => void;
}

/** Listens at `address`, whose path starts in `directory`. Rejects with ADDRESS_UNUSABLE. */
export async function openSocket(
  address: ListenAddress,
  accept: Accept,
  directory: string,
): Promise<ListeningSocket> {
  const place = addressIn(directory, address);
  const taker = { accept };
  const bound = await bind(place, (socket) => taker.accept(socket));
  return Object.assign(taker, { bound, url: bound.url });
}

/** Sockets that listen already stay open, and as they are until they are handed over. Rejects with ADDRESS_UNUSABLE. */
export async function changeSockets(
  present: ListeningSockets,
  listen: readonly ListenAddress[],
  accepts: readonly Accept[],
  directory: string,
  change: Change,
): Promise<ChangedSockets> {
  const sockets = new Map<string, ListeningSocket>();
  const kept: (() => void)[] = [];
  for (const [i, key] of placeKeys(listen).entries()) {
    const [address, accept] = [listen[i] as ListenAddress, accepts[i] as Accept];
    const before = present.get(key);
    const socket = before ?? (await openSocket(address, accept, directory));
    if (before) kept.push(() => Object.assign(before, { accept, url: before.bound.urlAs(address) }));
    else change.made(() => socket.bound.close());
    sockets.set(key, socket);
  }
  return {
    sockets,
    handOver: () => {
      for (const act of kept) act();
    },
  };
}
