import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { silentLog } from "../../src/exchange/index.ts";
import { notifierOf } from "../../src/server/notify.ts";
import { type Served, serve } from "../kit/serve.ts";

/** The service manager's end: prints each datagram as JSON, with the process that the kernel says sent it. */
const MANAGER = `
import json, socket, struct, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    s.bind("\\0" + sys.argv[1][1:] if sys.argv[1].startswith("@") else sys.argv[1])
    print('"bound"', flush=True)
    while True:
        data, ancillary, _, _ = s.recvmsg(65536, 1024)
        pid = struct.unpack("iii", ancillary[0][2])[0]
        print(json.dumps([pid, data.decode()]), flush=True)
`;

interface Manager {
  readonly path: string;
  /** The next message whose first line is \`first\`, and its sender; those before it are passed over. */
  hears(first: string): Promise<{ pid: number; lines: string[] }>;
}

async function manager(t: TestContext, name?: string): Promise<Manager> {
  const directory = mkdtempSync(join(tmpdir(), "sallyport-notify-"));
  const path = name ?? join(directory, "notify");
  const child: ChildProcess = spawn("python3", ["-c", MANAGER, path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  t.after(() => {
    child.kill();
    rmSync(directory, { recursive: true });
  });
  assert.equal((await lines.next()).value, '"bound"');
  return {
    path,
    async hears(first) {
      for (;;) {
        const { value, done } = await lines.next();
        assert.ok(!done, `the manager ended before it heard ${first}`);
        const [pid, message] = JSON.parse(value as string) as [number, string];
        const [line, ...rest] = message.split("\n");
        if (line === first) return { pid, lines: rest };
      }
    },
  };
}

/** A static site, which needs no application process. */
async function site(t: TestContext, env: Record<string, string>, ...args: string[]): Promise<Served> {
  const directory = mkdtempSync(join(tmpdir(), "sallyport-notify-"));
  writeFileSync(join(directory, "index.html"), "x");
  const served = await serve([directory, ...args], { env });
  t.after(async () => {
    await served.stop();
    rmSync(directory, { recursive: true });
  });
  return served;
}

for (const [name, args] of [
  ["one server process", []],
  ["several", ["--server-processes", "2"]],
] as const)
  test(`systemd hears of start, reload and stop: ${name}`, async (t) => {
    const systemd = await manager(t);
    const served = await site(t, { NOTIFY_SOCKET: systemd.path }, ...args);
    const { pid, lines } = await systemd.hears("READY=1");
    assert.equal(pid, served.pid);
    assert.deepEqual(lines, [`STATUS=serving ${served.url}`]);
    process.kill(served.pid, "SIGHUP");
    const [when = ""] = (await systemd.hears("RELOADING=1")).lines;
    assert.match(when, /^MONOTONIC_USEC=\d+$/);
    await systemd.hears("READY=1");
    await Promise.all([served.stop(), systemd.hears("STOPPING=1")]);
  });

test("a watchdog is told twice in its time, by the process that it is for", async (t) => {
  const systemd = await manager(t, `@sallyport-test-${process.pid}`);
  await site(t, { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: "100000" });
  await systemd.hears("WATCHDOG=1");
  await systemd.hears("WATCHDOG=1");
});

test("the variables of the service manager are not for applications", async () => {
  const env = { NOTIFY_SOCKET: "/nowhere", WATCHDOG_USEC: "1000000", WATCHDOG_PID: "1", PATH: "/bin" };
  const notifier = await notifierOf(env, silentLog);
  notifier.ready([]);
  assert.deepEqual(env, { PATH: "/bin" });
});

test("without a service manager nothing is said", async () => {
  const notifier = await notifierOf({}, silentLog);
  notifier.ready([]);
  notifier.stopping();
});
