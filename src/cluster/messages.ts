// The messages between the supervisor and its server processes, over Node's IPC channel.
// Tested by test/cluster/supervisor.test.ts.
import type { ListenAddress } from "../config/address.ts";

export type ToServerProcess =
  | { readonly do: "stop" }
  /** A successor serves already: clients are sent there, and then it ends. */
  | { readonly do: "leave" }
  | { readonly do: "reopen" };

export type FromServerProcess =
  /** It serves. */
  | { readonly say: "ready" }
  /** The heartbeat: its event loop turns. */
  | { readonly say: "beat" }
  /** It stops: what is under way, and what it has broken off. Said until it ends. */
  | { readonly say: "stopping"; readonly inFlight: number; readonly cut: number };

/** Milliseconds between two heartbeats of a server process. */
export const HEARTBEAT_INTERVAL = 500;

/** Milliseconds between two messages of one that stops. */
export const STOPPING_INTERVAL = 200;

/** Milliseconds for which a leaving server process waits for its clients' next requests, whose responses end their connections. */
export const EXIT_GRACE = 1_000;

/** What a server process gets from its supervisor. */
export interface ServerProcessTask {
  /** Where it listens: at the descriptors that its supervisor handed down. */
  readonly listen: readonly ListenAddress[];
  /** The descriptor of the channel to its supervisor; the small numbers below it are to be released. */
  readonly channel: number;
  /** The descriptor of the scoreboard, and the slot there for the number of its connections (scoreboard.ts). */
  readonly scoreboard: number;
  readonly slot: number;
}

export const SERVER_PROCESS_VARIABLE = "SALLYPORT_SERVER_PROCESS";

/** The supervisor's task; undefined in any other process. Removes the variable, so that no application inherits it. */
export function takeTask(): ServerProcessTask | undefined {
  const text = process.env[SERVER_PROCESS_VARIABLE];
  delete process.env[SERVER_PROCESS_VARIABLE];
  return text === undefined ? undefined : (JSON.parse(text) as ServerProcessTask);
}
