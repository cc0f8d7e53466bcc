// The text of the metrics: read by Prometheus's own parser for Python, each metric documented, and its values right.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { expose } from "../../src/admin/exposition.ts";
import { residentBytes, residentBytesOfAll } from "../../src/admin/memory.ts";
import { METRICS } from "../../src/admin/metrics.ts";
import type { ServerStatus } from "../../src/control/operations.ts";
import { Counts, type Snapshot } from "../../src/metrics/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { needs } from "../kit/needs.ts";
import { parseMetrics, samplesIn } from "./read-metrics.ts";
import { appStatus, processStatus, serverStatus } from "./statuses.ts";

/** Two requests to an app with a name that needs escapes, one of them still under way. */
function someCounts(t: TestContext): Snapshot {
  const counts = new Counts();
  t.after(() => counts.close());
  const admit = counts.counting((exchange) => {
    if (exchange.request.target === "/") exchange.respond({ status: 200, reason: "", headers: [] }, "hello");
    return 'a "quoted"\\ app';
  }, "http");
  for (const target of ["/", "/open"]) admit(new RecordedExchange({ target }));
  return counts.snapshot();
}

const nothing: Snapshot = { server: [], apps: {}, connections: 0, inFlight: {} };
const textOf = async (status: ServerStatus, counts = nothing): Promise<string> =>
  (await expose(status, counts)).text;

test("Prometheus's parser reads all of it, with the labels as they are", async (t) => {
  if (!needs(t, "py:prometheus_client")) return;
  const site = appStatus({ states: ["idle"], bounds: { min: 1, max: 2 } });
  const status = serverStatus({ serverProcesses: [processStatus({ apps: { site } })] });
  const { type, text } = await expose(status, someCounts(t));
  assert.equal(type, "text/plain; version=0.0.4; charset=utf-8");
  const samples = parseMetrics(text);
  const app = 'a "quoted"\\ app';
  const request = { app, method: "GET", protocol: "http/1.1", status: "2xx" };
  assert.equal(samples.get("sallyport_requests_total", request), 1);
  assert.equal(samples.get("sallyport_requests_in_flight", { app }), 1);
  assert.equal(samples.get("sallyport_request_duration_seconds_bucket", { app, le: "+Inf" }), 1);
  assert.equal(samples.get("sallyport_app_processes", { app: "site", state: "idle" }), 1);
});

test("before anything was counted there is a text, too", async (t) => {
  if (!needs(t, "py:prometheus_client")) return;
  const samples = parseMetrics(await textOf(serverStatus({ state: "starting", serverProcesses: [] })));
  assert.equal(samples.get("sallyport_ready", {}), 0);
  assert.equal(samples.get("sallyport_event_loop_lag_seconds_count", {}), 0);
});

test("the values of several server processes are added; of memory there is the largest as well", async () => {
  const apps = { site: appStatus({ states: ["idle", "busy"], waiting: 3, bounds: { min: 1, max: 4 } }) };
  const processes = [
    processStatus({ apps }),
    processStatus({ apps }),
    processStatus({ state: "not answering" }),
  ];
  const samples = samplesIn(
    await textOf(
      serverStatus({
        serverProcesses: processes,
        reloads: { ok: 2, failed: 1 },
        restarts: 5,
        cpuSeconds: { server: 1.5, apps: { site: 2.25 } },
      }),
    ),
  );
  assert.equal(samples.get('sallyport_requests_queued{app="site"}'), 6);
  assert.equal(samples.get('sallyport_app_processes{app="site",state="busy"}'), 2);
  assert.equal(samples.get('sallyport_app_processes_limit{app="site",bound="max"}'), 8);
  assert.equal(samples.get('sallyport_server_processes{state="not answering"}'), 1);
  assert.equal(samples.get('sallyport_reloads_total{result="ok"}'), 2);
  assert.equal(samples.get('sallyport_reloads_total{result="failed"}'), 1);
  assert.equal(samples.get("sallyport_server_process_restarts_total"), 5);
  assert.equal(samples.get("sallyport_server_cpu_seconds_total"), 1.5);
  assert.equal(samples.get('sallyport_app_cpu_seconds_total{app="site"}'), 2.25);
  const [all, largest] = ["sallyport_app_memory_bytes", "sallyport_app_process_memory_max_bytes"].map(
    (name) => samples.get(`${name}{app="site"}`),
  );
  assert.ok(largest && all && all > 3 * largest && largest > 1_000_000, `${all} ${largest}`);
});

test("buckets are cumulative, and end with all", async (t) => {
  const samples = samplesIn(await textOf(serverStatus({}), someCounts(t)));
  const buckets = [...samples].filter(([name]) =>
    name.startsWith("sallyport_request_duration_seconds_bucket"),
  );
  const values = buckets.map(([, value]) => value);
  assert.deepEqual(
    values,
    [...values].sort((a, b) => a - b),
  );
  assert.equal(values.at(-1), 1);
});

test("the memory of a process is what Linux says; one that is gone has none", async () => {
  const own = await residentBytes(process.pid);
  assert.ok(own && own > 10_000_000);
  const gone = spawnSync("true").pid;
  assert.deepEqual(await residentBytesOfAll([gone, undefined]), []);
});

test("docs/admin.md has a line for each metric, with its type and its labels", async (t) => {
  const page = readFileSync(new URL("../../docs/admin.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `(sallyport_\w+)` \| (\w+) \|([^|]*)\|/gm)];
  assert.deepEqual(
    rows.map(([, name, type]) => `${name} ${type}`),
    METRICS.map(({ name, type }) => `${name} ${type}`),
  );
  const apps = { site: appStatus({ states: ["idle"], bounds: { min: 1, max: 2 } }) };
  const cpuSeconds = { server: 1, apps: { site: 1 } };
  const text = await textOf(
    serverStatus({ serverProcesses: [processStatus({ apps })], cpuSeconds }),
    someCounts(t),
  );
  for (const [, name = "", , labels = ""] of rows) {
    const [, used = ""] = new RegExp(`^${name}(?:_bucket)?(?:\\{(.*)\\})? `, "m").exec(text) ?? [];
    const names = [...used.matchAll(/(\w+)="/g)].map(([, label]) => label).filter((label) => label !== "le");
    const documented = [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label);
    assert.deepEqual(documented, names, name);
  }
});
