// Processor time of real processes: its share since the last look, and the sums of those that come and go.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { CpuTimes } from "../../src/control/cpu.ts";
import type { ServerStatus } from "../../src/control/operations.ts";
import { processStatus, serverStatus } from "../admin/statuses.ts";
import { until } from "../kit/until.ts";

const LINUX = { skip: process.platform !== "linux" && "processor time is told by Linux" };

/** A process of the app "shop" that only calculates, in a server that does nothing at all. */
function busy(): { readonly pid: number; end(): Promise<unknown> } {
  const child = spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" });
  const ended = once(child, "exit");
  return {
    pid: child.pid as number,
    end: () => {
      child.kill("SIGKILL");
      return ended;
    },
  };
}

function statusWith(...pids: (number | undefined)[]): ServerStatus {
  const processes = pids.map(
    (pid) => ({ pid, state: "busy", age: 1_000, requests: 1, inFlight: 1 }) as const,
  );
  const shop = { interface: "WSGI", waiting: 0, restarts: 0, processes };
  return serverStatus({ serverProcesses: [processStatus({ apps: { shop } })] });
}

const cpuOf = ({ serverProcesses }: ServerStatus): number | undefined =>
  serverProcesses[0]?.apps.shop?.processes[0]?.cpu;

test(
  "a process that calculates has a share and seconds, one that has ended keeps its seconds",
  LINUX,
  async (t) => {
    const times = new CpuTimes();
    const first = busy();
    t.after(first.end);
    await until(() => (times.measured(statusWith(first.pid)).cpuSeconds?.apps.shop ?? 0) >= 0.3);
    await until(() => (cpuOf(times.measured(statusWith(first.pid))) ?? 0) > 0);
    const before = times.measured(statusWith(first.pid)).cpuSeconds;
    await first.end();
    const gone = times.measured(statusWith(first.pid));
    assert.equal(cpuOf(gone), undefined);
    assert.equal(gone.cpuSeconds?.apps.shop, before?.apps.shop);
    const second = busy();
    t.after(second.end);
    await until(
      () => (times.measured(statusWith(second.pid)).cpuSeconds?.apps.shop ?? 0) > (before?.apps.shop ?? 0),
    );
    assert.ok((before?.server ?? 0) > 0, "this process is the server, and has done something");
  },
);

test("a process that one look does not tell of is not counted again at the next", LINUX, async (t) => {
  const times = new CpuTimes();
  const first = busy();
  t.after(first.end);
  await until(() => (times.measured(statusWith(first.pid)).cpuSeconds?.apps.shop ?? 0) >= 1);
  const before = times.measured(statusWith(first.pid)).cpuSeconds?.apps.shop ?? 0;
  const began = performance.now();
  times.measured(statusWith());
  const after = times.measured(statusWith(first.pid)).cpuSeconds?.apps.shop ?? 0;
  const passed = (performance.now() - began) / 1_000;
  assert.ok(after - before <= passed + 0.3, `${before}, and ${passed} s later ${after}`);
});

test("a lone server is its own server process, and counts once", LINUX, () => {
  const times = new CpuTimes();
  const { cpuSeconds, cpu, serverProcesses } = times.measured(statusWith());
  const { user, system } = process.cpuUsage();
  assert.ok((cpuSeconds?.server ?? 0) <= (user + system) / 1e6 + 0.02, "not twice what it has used");
  assert.equal(serverProcesses[0]?.cpu, cpu);
});

test("two looks in a moment give the same share", LINUX, async () => {
  const times = new CpuTimes();
  const [one, other] = [times.measured(statusWith()), times.measured(statusWith())];
  assert.equal(one.cpu, other.cpu);
  await delay(300);
  assert.ok((times.measured(statusWith()).cpuSeconds?.server ?? 0) >= (one.cpuSeconds?.server ?? 0));
});

test("a process without a number, and one that is not there, have no share", () => {
  const { serverProcesses } = new CpuTimes().measured(statusWith(undefined, 2 ** 30));
  assert.deepEqual(
    serverProcesses[0]?.apps.shop?.processes.map(({ cpu }) => cpu),
    [undefined, undefined],
  );
});
