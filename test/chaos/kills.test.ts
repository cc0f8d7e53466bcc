// The processes that run an application are killed again and again under load: only what was inside them fails, the others
// serve on, and the server itself gains neither memory nor descriptors.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { commandOf, descendantsOf, descriptorsOf, memoryOf } from "../kit/processes.ts";
import { reportProgress } from "../kit/report-progress.ts";
import { until } from "../kit/until.ts";
import { Load, type LoadReport, report } from "./load.ts";
import { KINDS, type Kind, LONG, type Site, startSite } from "./site.ts";

const CLIENTS = 12;
/** Milliseconds. */
const BETWEEN = 200;
const KILLS = LONG ? 150 : 5;
/** How much more memory the server may have than after its warm-up: what V8 has not collected yet. */
const MEMORY = 48 << 20;
/** Descriptors that may be under way at the moment of the count. */
const DESCRIPTORS = 8;

const workersOf = (site: Site, { worker }: Kind): number[] =>
  descendantsOf(site.pid).filter((pid) => worker.test(commandOf(pid)));

const tick = (site: Site, load: Load, name: string, kills: number): void =>
  reportProgress(`${name}: ${kills} kills, ${load.sent} sent, ${load.failed} failed, ${site.pid}`);

/** Kills one of the processes that are there, in turn; gives how many were killed. */
async function killAgainAndAgain(site: Site, kind: Kind, load: Load, name: string): Promise<number> {
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

/** What a client may see of the end of a process: our 502; where a server process was killed, the end of its connections. */
const expectedCauses = ({ serverProcesses }: Kind): RegExp =>
  serverProcesses ? /^(reset|closed|cut)$/ : /^(502 ERR_SALLYPORT_(WORKER_DIED|UPSTREAM_BROKEN)|cut)$/;

function judge(kind: Kind, loaded: LoadReport, kills: number): void {
  const unexpected = Object.keys(loaded.causes).filter((cause) => !expectedCauses(kind).test(cause));
  assert.deepEqual(unexpected, []);
  const most = kills * Math.min(kind.inside, CLIENTS);
  assert.ok(loaded.failed <= most, `${loaded.failed} failed, at most ${most} can have been inside`);
}

for (const [name, kind] of Object.entries(KINDS))
  test(`${KILLS} kills under load cost only what was inside: ${name}`, async (t) => {
    const { app, serverProcesses = 1 } = kind;
    const site = await startSite(t, { apps: { app }, serverProcesses });
    const load = new Load({ port: site.port, clients: CLIENTS, paths: ["/sum.php"] });
    await until(() => load.right > 300);
    const [memory, descriptors] = [memoryOf(site.pid), descriptorsOf(site.pid)];
    const kills = await killAgainAndAgain(site, kind, load, name);
    const before = load.right;
    await until(() => load.right > before + 300);
    const loaded = await load.stop();
    const growth = memoryOf(site.pid) - memory;
    const { count, median, longest } = loaded.pauses;
    const pauses = `${count} pauses, the median ${median.toFixed(0)} ms, the longest ${longest.toFixed(0)} ms`;
    report(
      `${kills} kills, ${name}`,
      loaded,
      `; ${pauses}; ${(growth / 2 ** 20).toFixed(0)} MiB more memory`,
    );
    judge(kind, loaded, kills);
    assert.ok(growth < MEMORY, `${growth} bytes more memory`);
    await until(() => descriptorsOf(site.pid) <= descriptors + DESCRIPTORS);
    assert.match(site.stderr, /SIGKILL|ended|closed the connection/);
  });
