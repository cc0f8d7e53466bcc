// Scripts that were found a moment ago. Looking at the file system for every request costs more than all the rest of it;
// PHP itself looks again only every two minutes (realpath_cache_ttl).
import type { Exchange } from "../../../exchange/index.ts";
import { findScript, type Script, type ScriptOptions } from "./script.ts";

/** Milliseconds for which a script is taken to be where it was. What was not found is looked for each time. */
const BELIEVED = 1_000;
/** Clients choose the paths; whoever invents many only makes the table start again. */
const MOST = 1_000;

export class ScriptCache {
  readonly #options: ScriptOptions;
  readonly #known = new Map<string, { readonly script: Script; readonly until: number }>();

  constructor(options: ScriptOptions) {
    this.#options = options;
  }

  /** The script, if nobody needs to look for it. */
  known(exchange: Exchange): Script | undefined {
    const known = this.#known.get(keyOf(exchange));
    return known && performance.now() < known.until ? known.script : undefined;
  }

  /** As `findScript`. */
  async find(exchange: Exchange): Promise<Script | string> {
    const known = this.known(exchange);
    if (known) return known;
    const until = performance.now() + BELIEVED;
    const found = await findScript(exchange, this.#options);
    if (typeof found === "string") return found;
    if (this.#known.size >= MOST) this.#known.clear();
    this.#known.set(keyOf(exchange), { script: found, until });
    return found;
  }
}

const keyOf = ({ mount, request }: Exchange): string => `${mount}\0${request.path}`;
