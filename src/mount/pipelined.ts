// Responses that wait behind another one of their connection (pipelining): node has given them no socket yet, so that they see
// neither their client leave nor their own end. One listener for all of a connection: a client may send any number of requests.
// Tested by test/mount/node-response.test.ts.
import type { Socket } from "node:net";

const waiting = new WeakMap<Socket, Set<() => void>>();

/** Calls `gone` when `socket` closes, unless what is returned was called before. */
export function whenSocketCloses(socket: Socket, gone: () => void): () => void {
  const all = waiting.get(socket) ?? listenedTo(socket);
  all.add(gone);
  return () => void all.delete(gone);
}

function listenedTo(socket: Socket): Set<() => void> {
  const all = new Set<() => void>();
  waiting.set(socket, all);
  socket.once("close", () => {
    for (const gone of all) gone();
  });
  return all;
}
