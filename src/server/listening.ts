// The sockets of a server that listen, each with what its connections are given to: a reload may hand them to another frontend,
// and keeps those whose address stays.
// Tested by test/server/reload.test.ts.
import { addressIn, type ListenAddress } from "../config/address.ts";
import { type Change, placeKeys } from "./change.ts";
import type { Accept } from "./frontend.ts";
import { type Bound, bind } from "./listen.ts";

/** After a reload its connections may go to another frontend. */
export interface ListeningSocket {
  readonly bound: Bound;
  accept: Accept;
}

/** By `placeKeys`. */
export type ListeningSockets = ReadonlyMap<string, ListeningSocket>;

/** Listens at `address`, whose path starts in `directory`. Rejects with ADDRESS_UNUSABLE. */
export async function openSocket(
  address: ListenAddress,
  accept: Accept,
  directory: string,
): Promise<ListeningSocket> {
  const place = addressIn(directory, address);
  const opened: { bound?: Bound; accept: Accept } = { accept };
  opened.bound = await bind(place, (socket) => opened.accept(socket));
  return opened as ListeningSocket;
}

/** Sockets that listen already stay open; they change hands once all others have been opened. */
export async function changeSockets(
  present: ListeningSockets,
  listen: readonly ListenAddress[],
  accepts: readonly Accept[],
  directory: string,
  change: Change,
): Promise<ListeningSockets> {
  const sockets = new Map<string, ListeningSocket>();
  for (const [i, key] of placeKeys(listen).entries()) {
    const kept = present.get(key);
    const socket = kept ?? (await openSocket(listen[i] as ListenAddress, accepts[i] as Accept, directory));
    if (!kept) change.made(() => socket.bound.close());
    sockets.set(key, socket);
  }
  for (const [i, socket] of [...sockets.values()].entries()) handOver(socket, accepts[i] as Accept, change);
  return sockets;
}

function handOver(socket: ListeningSocket, accept: Accept, change: Change): void {
  const before = socket.accept;
  socket.accept = accept;
  change.made(() => {
    socket.accept = before;
  });
}
