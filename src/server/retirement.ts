// What a reload has replaced, or has made in vain: requests under way in it are finished, within the grace, while new ones go to what serves now.
// Tested by test/server/reload.test.ts.
import { setTimeout as delay } from "node:timers/promises";
import type { Settings } from "../config/config.ts";
import type { Log } from "../exchange/index.ts";
import { timerDelay } from "../exchange/wait.ts";
import type { AccessLog } from "../logs/access.ts";
import { LeavingApps } from "./app-operations.ts";
import type { AppStarter, Apps } from "./apps.ts";
import type { Frontend } from "./frontend.ts";
import type { ListeningSockets } from "./listening.ts";

/** All that a reload may replace. */
export interface Parts {
  readonly settings: Settings;
  readonly apps: Apps;
  readonly frontend: Frontend;
  readonly access: AccessLog | undefined;
  readonly sockets: ListeningSockets;
}

/** What stands between sockets and routes, with its log. */
export type Front = Pick<Parts, "frontend" | "access">;

export interface RetirementOptions {
  readonly log: Log;
  readonly appStarter: AppStarter;
  /** Whether the server stops: then `close` is about to be called. */
  readonly isStopping: () => boolean;
}

export class Retirement {
  readonly apps: LeavingApps = new LeavingApps();
  readonly #options: RetirementOptions;
  /** Beside the one that serves: replaced ones, until their connections have ended, and those that are to take over. By frontend. */
  readonly #fronts = new Map<Frontend, Front>();
  /** Of those that end already, until they have. */
  readonly #ends = new Map<Frontend, Promise<void>>();

  constructor(options: RetirementOptions) {
    this.#options = options;
  }

  /** Frontends that still have connections, or may have. */
  get frontends(): readonly Frontend[] {
    return [...this.#fronts.keys()];
  }

  /** Their access logs, which still get lines. */
  get accessLogs(): readonly (AccessLog | undefined)[] {
    return [...this.#fronts.values()].map(({ access }) => access);
  }

  /** `front` is about to take over: a stop until then ends it like those that were replaced. */
  expect(front: Front): void {
    this.#fronts.set(front.frontend, front);
  }

  /** Ends what `present` has replaced, in the grace that its settings give. */
  begin(before: Parts, present: Parts): void {
    this.#fronts.delete(present.frontend);
    const ends = [...this.#retireSockets(before, present), ...this.#retireApps(before, present)];
    if (before.frontend !== present.frontend) ends.push(this.retire(before, present.settings.grace));
    void Promise.allSettled(ends);
  }

  /** Ends the frontends that are left. Requests under way have `grace` milliseconds. */
  async close(grace: number): Promise<void> {
    // One that ends already may have been given more time.
    const late = delay(timerDelay(grace), undefined, { ref: false });
    const ends = [...this.#fronts.values()].map((front) => {
      const end = this.#ends.get(front.frontend);
      return end ? Promise.race([end, late]) : this.#end(front, grace);
    });
    await Promise.all(ends);
  }

  #retireSockets(before: Parts, { sockets, settings }: Parts): Promise<void>[] {
    const { log } = this.#options;
    for (const [key, { url }] of sockets) if (!before.sockets.has(key)) log.info(`listening on ${url}, too`);
    const closed = [...before.sockets].filter(([key]) => !sockets.has(key));
    for (const [, { url }] of closed) log.info(`no longer listening on ${url}`);
    return closed.map(([, { bound }]) => bound.close(settings.grace / 2));
  }

  #retireApps(before: Parts, { apps, settings }: Parts): Promise<void>[] {
    const { log, appStarter } = this.#options;
    const gone = [...before.apps].filter(([name, app]) => apps.get(name) !== app);
    for (const [name] of gone) log.info(`app ${name} was ${apps.has(name) ? "replaced" : "removed"}`);
    for (const [, { running }] of gone) running.leave("restart");
    return gone.map(([name, app]) => this.apps.until(name, app, appStarter.close(app, settings.grace)));
  }

  /**
   * Each connection ends with its next response, which says so. One that stays idle is left open for the grace: closed at
   * once, it might meet the client's next request. Never rejects.
   */
  async retire(front: Front, grace: number): Promise<void> {
    const { frontend } = front;
    frontend.leave();
    this.#fronts.set(frontend, front);
    await delay(timerDelay(grace), undefined, { ref: false });
    if (this.#options.isStopping()) return;
    await this.#end(front, grace);
  }

  /** It counts, and its log is opened anew, until its last request is over. */
  #end(front: Front, grace: number): Promise<void> {
    const end = this.#endOne(front, grace);
    this.#ends.set(front.frontend, end);
    return end;
  }

  async #endOne({ frontend, access }: Front, grace: number): Promise<void> {
    await frontend.close(grace);
    // What it has cut counts at a stop.
    if (!this.#options.isStopping()) this.#fronts.delete(frontend);
    this.#ends.delete(frontend);
    await access?.close();
  }
}
