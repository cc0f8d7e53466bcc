// Slow heads, slow bodies and slow readers in great number: honest clients are answered as before.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { memoryOf } from "../kit/processes.ts";
import { reportProgress } from "../kit/report-progress.ts";
import { until } from "../kit/until.ts";
import { Load, type LoadReport, report } from "./load.ts";
import { APPS, LONG, PYTHON, type Site, startSite } from "./site.ts";

const SLOW_CLIENTS = fileURLToPath(new URL("slow-clients.mjs", import.meta.url));
/** Of each kind. */
const COUNT = LONG ? 2_000 : 20;
/** Milliseconds. */
const MEASURED = LONG ? 20_000 : 1_000;
const WARM_UP = LONG ? 5_000 : 1_500;
const KEPT = 0.9;
/** Requests of a measurement, however slow the machine is. */
const LEAST = 50;

const python = { python: PYTHON, chdir: APPS };
const KINDS: Readonly<Record<string, object>> = {
  "WSGI threads": { apps: { app: { wsgi: "large:app", threads: 4, ...python } } },
  ASGI: { apps: { app: { asgi: "large:asgi_app", ...python } } },
  embedded: { apps: { app: { wsgi: "large:app", mode: "embedded", ...python } }, serverProcesses: 2 },
};

async function measure({ port }: Site): Promise<LoadReport> {
  const load = new Load({ port, clients: 8, paths: ["/sum"] });
  await delay(MEASURED);
  await until(() => load.right >= LEAST || load.failed > 0);
  reportProgress(`${load.sent} sent`);
  return load.stop();
}

const rateOf = ({ right, seconds }: LoadReport): number => right / seconds;

/** Resolves when all are connected, with what ends them: a stop would wait for their requests. */
async function slowClients(t: TestContext, { port }: Site): Promise<() => void> {
  const clients = fork(SLOW_CLIENTS, [`${port}`, `${COUNT}`], { execArgv: [] });
  t.after(() => clients.kill("SIGKILL"));
  await once(clients, "message");
  return () => clients.kill("SIGKILL");
}

for (const [name, config] of Object.entries(KINDS))
  test(`${COUNT} slow heads, ${COUNT} slow bodies and ${COUNT} slow readers leave honest clients alone: ${name}`, async (t) => {
    const site = await startSite(t, config);
    if (LONG) await measure(site);
    const alone = await measure(site);
    const end = await slowClients(t, site);
    await delay(WARM_UP);
    const among = await measure(site);
    end();
    // Before and after, since a machine is not equally fast all the time.
    const again = LONG ? await measure(site) : alone;
    const [one, other, after] = [alone, again, among].map(rateOf) as [number, number, number];
    const before = (one + other) / 2;
    const memory = (memoryOf(site.pid) / 2 ** 20).toFixed(0);
    report(
      `among ${3 * COUNT} slow clients, ${name}`,
      among,
      `, alone ${before.toFixed(0)}; the server has ${memory} MiB`,
    );
    assert.deepEqual([alone.causes, among.causes, again.causes], [{}, {}, {}], site.stderr);
    assert.ok(among.right > 0);
    // The short form says it; only the long one, alone on its machine, may judge it.
    if (LONG) assert.ok(after >= KEPT * before, `${after} a second instead of ${before}`);
  });
