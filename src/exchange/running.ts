// Runs gateways together with those behind them (`Gateway.inner`). A gateway may stand in several places of one owner, and have
// several owners (two mounts, a mount and a server): it starts once, and closes with the last owner.
import type { Gateway, Leaving } from "./exchange.ts";
import { type Agree, Reloads, throwFirst, together } from "./reloads.ts";

/** The state that all owners of one gateway share. */
interface Shared {
  readonly owners: Set<Running>;
  /** Owners that are not about to stop. */
  readonly staying: Set<Running>;
  /** The start under way, or the one that succeeded. */
  started: Promise<void> | undefined;
  readonly reloads: Reloads;
}

const all = new WeakMap<Gateway, Shared>();

/** The gateways of one owner. */
export class Running {
  readonly #gateways = new Set<Gateway>();
  #closed = false;

  /** Makes this an owner of `root` and of those behind it, whether it starts them or not. */
  own(root: Gateway): void {
    for (const gateway of withInner(root)) {
      const { owners, staying } = sharedOf(gateway);
      this.#gateways.add(gateway);
      owners.add(this);
      staying.add(this);
    }
  }

  /**
   * Starts `root`, and when that is ready, those behind it. Rejects with the first failure; what has started by then
   * stays ready for another attempt, and ends with `close`.
   */
  async start(root: Gateway): Promise<void> {
    if (this.#closed) return;
    this.own(root);
    const [, ...others] = withInner(root);
    await this.#startOne(root);
    const starts = await Promise.allSettled(others.map((gateway) => this.#startOne(gateway)));
    const failed = starts.find((start) => start.status === "rejected");
    if (failed) throw failed.reason;
  }

  /**
   * Reloads `root` and those behind it, which take over together; resolves with whether any of them can. Rejects with the first
   * failure. `agree`: with others.
   */
  async reload(root: Gateway, agree?: Agree): Promise<boolean> {
    const able = [...withInner(root)].filter((gateway) => gateway.reload);
    const asked = able.map((gateway) => (all: Agree) => sharedOf(gateway).reloads.ask(all));
    throwFirst(await together(asked, agree));
    return able.length > 0;
  }

  /** The owner is about to stop: gateways without another owner that goes on begin to end what never ends by itself. */
  leave(why?: Leaving): void {
    for (const gateway of this.#gateways) {
      const { staying } = sharedOf(gateway);
      if (staying.delete(this) && staying.size === 0) gateway.leave?.(why);
    }
  }

  /**
   * Closes the gateways without another owner, each before those behind it, which answer what it still passes on. Never
   * rejects. One that is still starting closes once it has started.
   */
  async close(grace: number): Promise<void> {
    this.#closed = true;
    this.leave();
    const orphans = [...this.#gateways].filter((gateway) => this.#release(gateway));
    this.#gateways.clear();
    const deadline = performance.now() + grace;
    let left = grace;
    for (const layer of layersOf(orphans)) {
      await Promise.allSettled(layer.map(async (gateway) => gateway.close?.(left)));
      left = Math.max(0, deadline - performance.now());
    }
  }

  async #startOne(gateway: Gateway): Promise<void> {
    if (this.#closed) return;
    const shared = sharedOf(gateway);
    shared.started ??= startOf(gateway, shared);
    await shared.started;
    // `close` was called meanwhile, on a gateway that was not up yet.
    if (this.#closed && shared.owners.size === 0) await gateway.close?.(0);
  }

  /** Gives up ownership; true when it was the last owner. */
  #release(gateway: Gateway): boolean {
    const { owners } = sharedOf(gateway);
    owners.delete(this);
    if (owners.size > 0) return false;
    all.delete(gateway);
    return true;
  }
}

/** `root` first, then all gateways behind it, each once. */
export function withInner(root: Gateway): Set<Gateway> {
  const found = new Set([root]);
  // Iterating over a set also visits the entries added meanwhile.
  for (const gateway of found) for (const inner of gateway.inner ?? []) found.add(inner);
  return found;
}

/** The gateways that can be closed: first those that are behind no other, and so on. */
function layersOf(gateways: readonly Gateway[]): Gateway[][] {
  if (gateways.length === 0) return [];
  const behind = new Set(gateways.flatMap(({ inner = [] }) => inner));
  const first = gateways.filter((gateway) => !behind.has(gateway));
  if (first.length === 0) return [closable(gateways)]; // a ring
  return [closable(first), ...layersOf(gateways.filter((gateway) => behind.has(gateway)))].filter(
    ({ length }) => length > 0,
  );
}

const closable = (gateways: readonly Gateway[]): Gateway[] => gateways.filter(({ close }) => close);

function sharedOf(gateway: Gateway): Shared {
  const shared: Shared = all.get(gateway) ?? {
    owners: new Set(),
    staying: new Set(),
    started: undefined,
    reloads: new Reloads(async (agree) => gateway.reload?.(agree)),
  };
  all.set(gateway, shared);
  return shared;
}

async function startOf(gateway: Gateway, shared: Shared): Promise<void> {
  try {
    await gateway.start?.();
  } catch (error) {
    shared.started = undefined;
    throw error;
  }
}
