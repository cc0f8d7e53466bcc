// Open files are limited, and connections are files. Some descriptors are reserved, so that a worker can be started again, a
// log written and a body buffered however many clients there are.
// Tested by test/server/open-files.test.ts.
import type { Socket } from "node:net";
import { transportOf } from "./transport.ts";

/** The largest reserve: for workers, programs, logs, the application's own files. */
export const RESERVE = 64;
/** The share that is reserved where there are few. */
const PART = 1 / 4;

/** How many files this process may open; the server finds out when it starts. */
export const descriptors: { limit: number } = { limit: Number.POSITIVE_INFINITY };

/** Whether `socket` has a descriptor of the reserve: the system always gives out the lowest free one. */
export function takesReserve(socket: Socket): boolean {
  const { limit } = descriptors;
  return descriptorOf(socket) >= limit - Math.min(RESERVE, Math.floor(limit * PART));
}

/** -1 where Node's internals have another name; a test watches over it. */
function descriptorOf(socket: Socket): number {
  const transport = transportOf(socket) ?? socket;
  return (transport as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}
