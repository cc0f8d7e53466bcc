// Scripts that were found a moment ago. Checking the file system for every request costs more than all the rest of it;
// PHP itself checks again only every two minutes (realpath_cache_ttl).
import type { Exchange } from "../../../exchange/index.ts";
import { findScript, type Script, type ScriptOptions } from "./script.ts";

/** Milliseconds before a script is checked again. A missing one is looked for each time. */
const LIFETIME = 1_000;
/** Clients choose the paths: one that invents many only empties the cache. */
const MOST = 1_000;

export class ScriptCache {
  readonly #options: ScriptOptions;
  readonly #known = new Map<string, { readonly script: Script; readonly until: number }>();

  constructor(options: ScriptOptions) {
    this.#options = options;
  }

  /** The script, if it was found lately. */
  known(exchange: Exchange): Script | undefined {
    const known = this.#known.get(keyOf(exchange));
    return known && performance.now() < known.until ? known.script : undefined;
  }

  /** As `findScript`. */
  async find(exchange: Exchange): Promise<Script | string> {
    const known = this.known(exchange);
    if (known) return known;
    const until = performance.now() + LIFETIME;
    const script = await findScript(exchange, this.#options);
    if (typeof script === "string") return script;
    if (this.#known.size >= MOST) this.#known.clear();
    this.#known.set(keyOf(exchange), { script, until });
    return script;
  }
}

const keyOf = ({ mount, request }: Exchange): string => `${mount}\0${request.path}`;
