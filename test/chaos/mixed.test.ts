// Mixed traffic over all interfaces at once: memory and rates stay where they were after the warm-up. CHAOS_MINUTES says for
// how long the long form runs (30); the short one shows that all of it works.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { descendantsOf, descriptorsOf, memoryOf } from "../kit/processes.ts";
import { reportProgress, reportResult } from "../kit/report-progress.ts";
import { Load, report } from "./load.ts";
import { KINDS, LONG, type Site, startSite } from "./site.ts";

const SECONDS = LONG ? 60 * Number(process.env.CHAOS_MINUTES ?? 30) : 3;
/** Parts of the time, of which the first two are the warm-up. */
const PARTS = 12;
const WARM_UP = 2;
const MOST = 1.05;
const LEAST = 0.95;

const mixed = {
  apps: Object.fromEntries([
    ...Object.values(KINDS)
      .filter(({ serverProcesses }) => serverProcesses === undefined)
      .map(({ app }, i) => [`app${i}`, app]),
    ["module", { module: new URL("apps/checksum_module.mjs", import.meta.url).pathname }],
  ]),
};

interface Sample {
  readonly memory: number;
  readonly all: number;
  readonly descriptors: number;
  readonly rate: number;
}

const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1).padStart(9);

/** Of processes that may just be ending. */
function memoryIfAny(pid: number): number {
  try {
    return memoryOf(pid) || 0;
  } catch {
    return 0;
  }
}

async function sample({ pid }: Site, load: Load): Promise<Sample> {
  const [before, began] = [load.right, performance.now()];
  const peaks: number[] = [];
  for (let left = SECONDS / PARTS; left > 0; left -= 5) {
    await delay(Math.min(left, 5) * 1_000);
    reportProgress(`${load.sent} sent, ${load.failed} failed`);
    peaks.push(memoryOf(pid));
  }
  // The least of a part: what garbage has not been collected yet says nothing.
  const memory = Math.min(...peaks);
  const all = descendantsOf(pid).reduce((sum, child) => sum + memoryIfAny(child), 0);
  const rate = ((load.right - before) / (performance.now() - began)) * 1_000;
  return { memory, all, descriptors: descriptorsOf(pid), rate };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Compares the last third with the first third after the warm-up. */
function drift(samples: readonly Sample[], value: (sample: Sample) => number): number {
  const warm = samples.slice(WARM_UP).map(value);
  const third = Math.max(1, Math.floor(warm.length / 3));
  return mean(warm.slice(-third)) / mean(warm.slice(0, third));
}

test("mixed traffic over all interfaces: nothing fails, nothing grows", async (t) => {
  const names = Object.keys(mixed.apps);
  const site = await startSite(t, {
    ...mixed,
    routes: names.map((name) => ({ path: `/${name}`, app: name })),
  });
  const load = new Load({
    port: site.port,
    clients: 12,
    paths: names.map((name) => `/${name}/sum.php`),
  });
  const samples: Sample[] = [];
  for (let part = 0; part < PARTS; part++) samples.push(await sample(site, load));
  const loaded = await load.stop();
  const rows = samples.map(
    ({ memory, all, descriptors, rate }, i) =>
      `${`${i + 1}`.padStart(4)} ${megabytes(memory)} ${megabytes(all)} ${`${descriptors}`.padStart(5)} ${rate.toFixed(0).padStart(6)}`,
  );
  reportResult(["part server/MB    children files  rate", ...rows].join("\n"));
  report(`mixed traffic for ${SECONDS} s`, loaded);
  assert.deepEqual(loaded.causes, {}, site.stderr);
  if (!LONG) return;
  const [memory, rate] = [drift(samples, (each) => each.memory), drift(samples, (each) => each.rate)];
  assert.ok(memory <= MOST, `memory grew to ${(100 * memory).toFixed(1)} %`);
  assert.ok(rate >= LEAST, `the rate fell to ${(100 * rate).toFixed(1)} %`);
});
