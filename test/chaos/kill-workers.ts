// Kills the processes that run an application, again and again, and says which failures of a load that may cost.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { commandOf, descendantsOf } from "../kit/processes.ts";
import { reportProgress } from "../kit/report-progress.ts";
import type { Load, LoadReport } from "./load.ts";
import { type Kind, LONG, type Site } from "./site.ts";

export const KILLS: number = LONG ? 150 : 5;
/** Milliseconds. */
const BETWEEN = 200;

const workersOf = (site: Site, { worker }: Kind): number[] =>
  descendantsOf(site.pid).filter((pid) => worker.test(commandOf(pid)));

const tick = (site: Site, load: Load, name: string, kills: number): void =>
  reportProgress(`${name}: ${kills} kills, ${load.sent} sent, ${load.failed} failed, ${site.pid}`);

/** Kills one of the processes that are there, in turn; gives how many were killed. */
export async function killAgainAndAgain(site: Site, kind: Kind, load: Load, name: string): Promise<number> {
  let kills = 0;
  while (kills < KILLS) {
    await delay(BETWEEN);
    const workers = workersOf(site, kind);
    const victim = workers[kills % Math.max(1, workers.length)];
    if (victim === undefined) continue;
    try {
      process.kill(victim, "SIGKILL");
      kills++;
    } catch {
      // It has just ended.
    }
    tick(site, load, name, kills);
  }
  return kills;
}

/** What a client may see of the end of a process: our 502; where Python is in the server process, the end of its connections. */
const expectedCauses = ({ app }: Kind): RegExp =>
  "mode" in app && app.mode === "embedded"
    ? /^(reset|closed|cut)$/
    : /^(502 ERR_SALLYPORT_(WORKER_DIED|UPSTREAM_BROKEN)|cut)$/;

/** No request failed in another way, and no more of them than can have been inside. */
export function judge(kind: Kind, loaded: LoadReport, kills: number, clients: number): void {
  const unexpected = Object.keys(loaded.causes).filter((cause) => !expectedCauses(kind).test(cause));
  assert.deepEqual(unexpected, []);
  const most = kills * Math.min(kind.inside, clients);
  assert.ok(loaded.failed <= most, `${loaded.failed} failed, at most ${most} can have been inside`);
}
