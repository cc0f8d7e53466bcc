import assert from "node:assert/strict";
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describeExit, Launcher } from "../../src/processes/index.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { childrenOf, gone, isAlive } from "../kit/processes.ts";

const launcher = new Launcher();
await launcher.retain();
after(() => launcher.release());

const sh = (script: string) => ({
  command: "/bin/sh",
  args: ["-c", script],
  env: { PATH: process.env.PATH ?? "" },
});
const PIPES = { stdio: ["pipe", "pipe", "lines"] } as const;
const readAll = (end: Readable | undefined) => text(end as Readable);

/** The pid of the process that started a process. */
const parentOf = (pid: number): number =>
  Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);

test("a launched child reads, writes, logs and exits like one of our own", async () => {
  const lines: string[] = [];
  const child = await launcher.launch({
    ...sh("cat; echo $ONE >&2; pwd >&2; exit 3"),
    ...PIPES,
    env: { ONE: "1" },
    cwd: "/",
    onLine: (line, descriptor) => lines.push(`${descriptor}:${line}`),
  });
  child.streams[0]?.end("hello");
  assert.equal(await readAll(child.streams[1]), "hello");
  assert.deepEqual(await child.exited, { code: 3, signal: null });
  await child.printed;
  assert.deepEqual(lines, ["2:1", "2:/"]);
});

test("ten megabytes go in and out unharmed, with both ends waiting for each other", async () => {
  const bytes = Buffer.alloc(10_000_000, "0123456789abcdef-");
  const child = await launcher.launch({ command: "/bin/cat", ...PIPES });
  child.streams[0]?.end(bytes);
  await delay(20);
  assert.ok(bytes.equals(await buffer(child.streams[1] as Readable)));
});

test("a child's own descriptors block, as programs expect", async () => {
  const script = "import os; print(os.get_blocking(0), os.get_blocking(1), os.get_blocking(2))";
  const child = await launcher.launch({ ...sh(`python3 -c '${script}'`), ...PIPES });
  assert.equal(await readAll(child.streams[1]), "True True True\n");
});

test("children that have ended leave no connection behind, also before anybody collects it", async () => {
  const open = (): number => readdirSync("/proc/self/fd").length;
  const before = open();
  for (let i = 0; i < 40; i++) {
    const child = await launcher.launch({ ...sh("echo said >&2"), ...PIPES });
    await Promise.all([child.exited, child.printed]);
    for (const end of child.streams) end?.destroy();
  }
  assert.ok(open() - before < 20, `${before} descriptors before, ${open()} after`);
});

test("fifty children at once do not mix their output", async () => {
  const run = async (i: number) => {
    const child = await launcher.launch({ ...sh(`echo ${i}; exit ${i}`), ...PIPES });
    child.streams[0]?.end();
    const [said, exit] = await Promise.all([readAll(child.streams[1]), child.exited]);
    assert.deepEqual([said, exit.code], [`${i}\n`, i]);
  };
  await Promise.all(Array.from({ length: 50 }, (_, i) => run(i)));
});

test("a program that does not exist, and one that cannot be given so many arguments, are failures in the exit", async () => {
  const missing = await launcher.launch({ command: "/no/such/program", ...PIPES });
  assert.match(describeExit(await missing.exited), /\/no\/such\/program could not be started.*ENOENT/);
  const env = { BIG: "x".repeat(3_000_000) };
  const { failure } = await (await launcher.launch({ command: "/bin/true", env, ...PIPES })).exited;
  assert.equal(failure?.code, "ERR_SALLYPORT_SPAWN_FAILED");
});

test("stop ends a launched child and its own children with TERM, and with KILL those that ignore it", async () => {
  const child = await launcher.launch({
    ...sh("(trap '' TERM; sleep 600) & sh -c 'echo $PPID'; wait"),
    ...PIPES,
  });
  await once(child.streams[1] as Readable, "data");
  assert.deepEqual(await child.stop(60_000), { code: null, signal: "SIGTERM" });
  // Its descendants held the other end: the end of the stream says that they are gone too.
  await readAll(child.streams[1]);
});

test("stop with an endless grace lets a launched child end by itself", async () => {
  const script = "trap 'sleep 0.1; exit 3' TERM; echo ready; while :; do sleep 0.01; done";
  const child = await launcher.launch({ ...sh(script), ...PIPES });
  await once(child.streams[1] as Readable, "data");
  const exit = await child.stop(Number.POSITIVE_INFINITY);
  assert.deepEqual([exit.code, exit.signal], [3, null]);
});

test("stop ends a launched child that ignores TERM after the grace", async () => {
  const child = await launcher.launch({
    ...sh("trap '' TERM; echo ready; while :; do sleep 1; done"),
    ...PIPES,
  });
  await once(child.streams[1] as Readable, "data");
  assert.deepEqual(await child.stop(50), { code: null, signal: "SIGKILL" });
});

test("sweep ends what a child left behind", async () => {
  const child = await launcher.launch({ ...sh("sleep 600 & exit 0"), ...PIPES });
  assert.equal((await child.exited).code, 0);
  child.sweep();
  assert.equal(await readAll(child.streams[1]), "");
});

test("when the launcher dies its children end, each call settles, and the next launch starts a new one", async () => {
  const child = await launcher.launch({ ...sh("sleep 600"), ...PIPES });
  process.kill(parentOf(child.pid as number), "SIGKILL");
  assert.equal(describeExit(await child.exited), "ended in an unknown way");
  await gone(child.pid as number);
  const next = await launcher.launch({ ...sh("echo again"), ...PIPES });
  assert.equal(await readAll(next.streams[1]), "again\n");
});

test("when its socket is tidied away, launching goes on, and what runs already is not disturbed", async (t) => {
  const parent = await mkdtemp(join(tmpdir(), "launcher-test-"));
  const { TMPDIR } = process.env;
  process.env.TMPDIR = parent;
  t.after(() => rm(parent, { recursive: true, force: true }));
  const own = new Launcher({ pipes: false });
  await own.retain();
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
  t.after(() => own.release());
  const before = await own.launch({ command: "/bin/cat", ...PIPES });
  const oldLauncher = parentOf(before.pid as number);
  // Only the directory that this launcher made.
  for (const name of await readdir(parent)) await rm(join(parent, name), { recursive: true });
  const after = await Promise.all([
    own.launch({ ...sh("echo on"), ...PIPES }),
    own.launch({ ...sh("echo on"), ...PIPES }),
  ]);
  for (const child of after) assert.equal(await readAll(child.streams[1]), "on\n");
  before.streams[0]?.end("undisturbed");
  assert.equal(await readAll(before.streams[1]), "undisturbed");
  await gone(oldLauncher);
});

test("launchers do not meet where temporary files are too far down for a socket's path", async (t) => {
  const deep = join(makeFolder(t), "x".repeat(90));
  mkdirSync(deep);
  const { TMPDIR } = process.env;
  process.env.TMPDIR = deep;
  const own = [new Launcher({ pipes: false }), new Launcher({ pipes: false })];
  t.after(() => Promise.all(own.map((launcher) => launcher.release())));
  await Promise.all(own.map((launcher) => launcher.retain())).finally(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  });
  for (const launcher of own) {
    const child = await launcher.launch({ ...sh("echo on"), ...PIPES });
    assert.equal(await readAll(child.streams[1]), "on\n");
  }
});

test("children and launcher end when the process that wanted them is killed", async () => {
  const program = new URL("leave_launched.ts", import.meta.url).pathname;
  const parent = spawn(process.execPath, [...process.execArgv, program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(parent.stdout as Readable, "data");
  const pid = Number(String(line));
  const launcherPid = parentOf(pid);
  const all = [launcherPid, ...childrenOf(launcherPid)];
  assert.ok(all.includes(pid));
  parent.kill("SIGKILL");
  await Promise.all(all.map(gone));
});

test("an idle launcher does not keep its process from ending", async () => {
  const program = new URL("leave_idle.ts", import.meta.url).pathname;
  const parent = spawn(process.execPath, [...process.execArgv, program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said, [code]] = await Promise.all([text(parent.stdout as Readable), once(parent, "exit")]);
  assert.deepEqual([said, code], ["hello\n", 0]);
});

test("the last release ends the launcher", async () => {
  const own = new Launcher();
  await Promise.all([own.retain(), own.retain()]);
  const child = await own.launch({ ...sh("sleep 600"), ...PIPES });
  const launcherPid = parentOf(child.pid as number);
  await own.release();
  assert.ok(isAlive(launcherPid));
  await own.release();
  assert.ok(!isAlive(launcherPid));
  assert.ok(!isAlive(child.pid as number));
});

test("a launcher whose process has left before it says anything ends in silence", async () => {
  const program = fileURLToPath(new URL("../../src/processes/launcher-process.ts", import.meta.url));
  const folder = await mkdtemp(join(tmpdir(), "sallyport-test-"));
  const left = fork(program, [join(folder, "socket")], { execArgv: process.execArgv, silent: true });
  left.disconnect();
  const [said, [code]] = await Promise.all([text(left.stderr as Readable), once(left, "exit")]);
  assert.deepEqual([said, code], ["", 0]);
});
