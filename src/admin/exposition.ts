// The metrics as text, in the format of Prometheus 0.0.4. prom-client writes it, and is loaded with the first scrape.
import type { Registry as PromRegistry } from "prom-client";
import type { ServerStatus } from "../control/operations.ts";
import type { Snapshot } from "../metrics/index.ts";
import { residentBytesOfAll } from "./memory.ts";
import { METRICS, type View } from "./metrics.ts";

export interface Exposition {
  readonly type: string;
  readonly text: string;
}

export async function expose(status: ServerStatus, counts: Snapshot): Promise<Exposition> {
  const { Registry } = await import("prom-client");
  const view = await viewOf(status, counts);
  const registry = new Registry();
  for (const { name, type, help, values } of METRICS) {
    const metric = { name, type, help, get: () => ({ name, type, help, values: values(view) }) };
    // What its own classes for metrics give; they could only count anew.
    registry.registerMetric(metric as unknown as Parameters<PromRegistry["registerMetric"]>[0]);
  }
  return { type: registry.contentType, text: await registry.metrics() };
}

async function viewOf(status: ServerStatus, counts: Snapshot): Promise<View> {
  const own = new Set([status.pid, ...status.serverProcesses.map(({ pid }) => pid)]);
  const apps = pidsByApp(status);
  const memory = Array.from(apps, async ([app, pids]) => [app, await residentBytesOfAll(pids)] as const);
  return {
    status,
    counts,
    memory: new Map(await Promise.all(memory)),
    ownMemory: await residentBytesOfAll([...own]),
  };
}

/** Apps without processes are left out. */
function pidsByApp({ serverProcesses }: ServerStatus): Map<string, (number | undefined)[]> {
  const pids = new Map<string, (number | undefined)[]>();
  for (const { apps } of serverProcesses)
    for (const [app, { processes }] of Object.entries(apps))
      if (processes.length > 0) pids.set(app, [...(pids.get(app) ?? []), ...processes.map(({ pid }) => pid)]);
  return pids;
}
