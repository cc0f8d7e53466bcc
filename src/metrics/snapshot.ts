// The counts of a server process at one moment, as they travel to the process that has the admin listener.
// Slots are explained in slots.ts.

export interface Snapshot {
  /** Counts of the process since it was started; they only grow. */
  readonly server: readonly number[];
  /** The same by app. */
  readonly apps: Readonly<Record<string, readonly number[]>>;
  /** Connections that are open. */
  readonly connections: number;
  /** Requests under way, by app. */
  readonly inFlight: Readonly<Record<string, number>>;
}
