// The connections of this process to one address, whichever app they are of. An application that serves one connection at
// a time in each of its processes (PHP-FPM) leaves those of one app waiting while it has those of another.
// Tested by test/protocols/fastcgi/server/backend.test.ts.
import type { ApplicationConnection } from "./connection.ts";

const byAddress = new Map<string, Set<ApplicationConnection>>();
const NONE: ReadonlySet<ApplicationConnection> = new Set();

export function connectionsTo(address: string): ReadonlySet<ApplicationConnection> {
  return byAddress.get(address) ?? NONE;
}

export function addConnection(address: string, connection: ApplicationConnection): void {
  const connections = byAddress.get(address) ?? new Set();
  byAddress.set(address, connections.add(connection));
}

export function deleteConnection(address: string, connection: ApplicationConnection): void {
  const connections = byAddress.get(address);
  if (connections?.delete(connection) && connections.size === 0) byAddress.delete(address);
}
