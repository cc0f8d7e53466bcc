// A reload under way: which apps it leaves as they are, and how to take back all that it has made.
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

export class Change {
  readonly #settings: Settings;
  readonly #undo: (() => unknown)[] = [];

  /** A change to these settings. */
  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Whether `present`, the app of this name, goes on. A module does not: its file is imported again. */
  keeps(name: string, present: App | undefined): boolean {
    const app = this.#settings.apps[name];
    if (!app || !present || ("module" in app && !present.gateway.reload)) return false;
    return isDeepStrictEqual(app, present.settings);
  }

  /** Something was made: `undo` takes it back if the change fails. */
  made(undo: () => unknown): void {
    this.#undo.push(undo);
  }

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
