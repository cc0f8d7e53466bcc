// Open files are bounded, and connections are files. Some are kept free of connections, so that a worker can be started
// again, a log written and a body kept however many clients there are.
import type { Socket } from "node:net";
import { transportOf } from "./transport.ts";

/** The most that are kept free: for workers, programs, logs, the application's own files. */
export const RESERVE = 64;
/** The part of few that is kept. */
const PART = 1 / 4;

/** How many files this process may open; the server finds out when it starts. */
export const descriptors: { limit: number } = { limit: Number.POSITIVE_INFINITY };

/** Whether `socket` has a descriptor of the reserve: the system always gives the lowest that is free. */
export function takesReserve(socket: Socket): boolean {
  const { limit } = descriptors;
  return descriptorOf(socket) >= limit - Math.min(RESERVE, Math.floor(limit * PART));
}

/** -1 where this Node has another name inside; a test watches over it. */
function descriptorOf(socket: Socket): number {
  const carrier = transportOf(socket) ?? socket;
  return (carrier as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}
