// What the supervisor and its fronts tell each other, over the channel between them.
import type { ListenAddress } from "../config/address.ts";

export type ToServerProcess =
  | { readonly do: "stop" }
  /** Another one is in its place: clients are sent there, and then it ends. */
  | { readonly do: "leave" }
  | { readonly do: "reopen" };

export type FromServerProcess =
  /** It serves. */
  | { readonly say: "ready" }
  /** Its event loop turns. */
  | { readonly say: "beat" };

/** How often a front says that its event loop turns, in milliseconds. */
export const HEARTBEAT_INTERVAL = 500;

/** Milliseconds for which a front that leaves waits for its clients' next requests, which are told to go elsewhere. */
export const EXIT_GRACE = 1_000;

/** What makes a process a front. */
export interface ServerProcessTask {
  /** Where it listens: at the descriptors that its supervisor handed down. */
  readonly listen: readonly ListenAddress[];
  /** The descriptor of the channel to its supervisor; the small numbers below it are to be released. */
  readonly channel: number;
  /** Where it tells how many connections it has; see scoreboard.ts. */
  readonly board: number;
  readonly seat: number;
}

export const SERVER_PROCESS_VARIABLE = "SALLYPORT_FRONT";

/** What the supervisor said; undefined in any other process. The variable is gone afterwards: no application inherits it. */
export function takeTask(): ServerProcessTask | undefined {
  const text = process.env[SERVER_PROCESS_VARIABLE];
  delete process.env[SERVER_PROCESS_VARIABLE];
  return text === undefined ? undefined : (JSON.parse(text) as ServerProcessTask);
}
