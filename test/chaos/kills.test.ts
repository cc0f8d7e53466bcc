// The processes that run an application are killed again and again under load: only what was inside them fails, the others
// serve on, and the server itself gains neither memory nor descriptors.
import assert from "node:assert/strict";
import { test } from "node:test";
import { descriptorsOf, memoryOf } from "../kit/processes.ts";
import { until } from "../kit/until.ts";
import { judge, KILLS, killAgainAndAgain } from "./kill-workers.ts";
import { Load, report } from "./load.ts";
import { KINDS, startSite } from "./site.ts";

const CLIENTS = 12;
/** How much more memory the server may have than after its warm-up: what V8 has not collected yet. */
const MEMORY = 48 << 20;
/** Descriptors that may be under way at the moment of the count. */
const DESCRIPTORS = 8;

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
    judge(kind, loaded, kills, CLIENTS);
    assert.ok(growth < MEMORY, `${growth} bytes more memory`);
    await until(() => descriptorsOf(site.pid) <= descriptors + DESCRIPTORS);
    assert.match(site.stderr, /SIGKILL|ended|closed the connection/);
  });
