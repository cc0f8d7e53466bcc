// A reload under way: which apps it leaves as they are, and how to take back all that it has made or changed.
// Tested by test/server/reload.test.ts.
import { isDeepStrictEqual } from "node:util";
import type { ListenAddress } from "../config/address.ts";
import type { AppSettings, Settings } from "../config/config.ts";
import type { Gateway, Running } from "../exchange/index.ts";

/** An app as it runs: its part of the configuration, and its gateway. */
export interface App {
  readonly settings: AppSettings;
  readonly gateway: Gateway;
  readonly running: Running;
}

/** Reads the configuration again. `made` gets what takes a change of this process back if the reload fails. Rejects with CONFIG_INVALID. */
export type Reread = (made: (undo: () => void) => void) => Promise<Settings>;

/** Whether `present` goes on as `app`. A module does not: its file is imported again. */
export function goesOn(app: AppSettings | undefined, present: App | undefined): boolean {
  if (!app || !present || ("module" in app && !present.gateway.reload)) return false;
  return isDeepStrictEqual(app, present.settings);
}

export class Change {
  readonly #undo: (() => unknown)[] = [];

  /** Something was made: `undo` takes it back if the change fails. */
  readonly made = (undo: () => unknown): void => {
    this.#undo.push(undo);
  };

  /** The last first. Never rejects. */
  async undo(): Promise<void> {
    for (const undo of this.#undo.toReversed())
      try {
        await undo();
      } catch {
        // What is left of it is taken back all the same.
      }
  }
}

/** A key for each address: where a reload finds the same one, its socket stays open. A place may be there twice (port 0). */
export function placeKeys(listen: readonly ListenAddress[]): string[] {
  const seen = new Map<string, number>();
  return listen.map((address) => {
    const place = placeOf(address);
    const times = seen.get(place) ?? 0;
    seen.set(place, times + 1);
    return times === 0 ? place : `${place} ${times + 1}`;
  });
}

function placeOf(address: ListenAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  return address.kind === "fd" ? `fd:${address.fd}` : `${address.host}:${address.port}`;
}
