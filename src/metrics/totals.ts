// The counts of all server processes that there are and were. What a process has added since its last report is added to the
// sums, so that they stay when it ends, and never go backwards.
import { APP_SLOTS, SERVER_SLOTS } from "./slots.ts";
import type { Snapshot } from "./snapshot.ts";

export class Totals {
  readonly #server = new Float64Array(SERVER_SLOTS);
  readonly #apps = new Map<string, Float64Array>();
  /** The last report of each process; processes that ended are forgotten together with their object. */
  readonly #last = new WeakMap<object, Snapshot>();
  readonly #alive = new Set<object>();

  /** `process` stands for one server process; its last report may come after its end. */
  report(process: object, snapshot: Snapshot): void {
    const before = this.#last.get(process);
    addGrowth(this.#server, snapshot.server, before?.server);
    for (const [name, slots] of Object.entries(snapshot.apps))
      addGrowth(this.#slotsOf(name), slots, before?.apps[name]);
    if (!before) this.#alive.add(process);
    this.#last.set(process, snapshot);
  }

  /** Its counts stay; what was under way in it is gone. */
  ended(process: object): void {
    if (!this.#last.has(process)) this.#last.set(process, NOTHING);
    this.#alive.delete(process);
  }

  sum(): Snapshot {
    const present = [...this.#alive].map((process) => this.#last.get(process) as Snapshot);
    const inFlight = new Map<string, number>();
    for (const one of present)
      for (const [name, count] of Object.entries(one.inFlight))
        inFlight.set(name, (inFlight.get(name) ?? 0) + count);
    return {
      server: [...this.#server],
      apps: Object.fromEntries([...this.#apps].map(([name, slots]) => [name, [...slots]])),
      connections: present.reduce((sum, { connections }) => sum + connections, 0),
      inFlight: Object.fromEntries(inFlight),
    };
  }

  #slotsOf(name: string): Float64Array {
    const known = this.#apps.get(name);
    if (known) return known;
    const slots = new Float64Array(APP_SLOTS);
    this.#apps.set(name, slots);
    return slots;
  }
}

const NOTHING: Snapshot = { server: [], apps: {}, connections: 0, inFlight: {} };

function addGrowth(sums: Float64Array, now: readonly number[], before: readonly number[] = []): void {
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + (now[i] as number) - (before[i] ?? 0);
}
