// The standard streams of launched children are pipes, which can be opened by their names ("/dev/stdin"), and where none can
// be made they are sockets. Only of Linux: elsewhere such names are duplicates of what is open, sockets included.
import assert from "node:assert/strict";
import { readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { Launcher } from "../../src/processes/index.ts";
import { closePipe, type PipeEnds, PipeMaker } from "../../src/processes/pipe-maker.ts";
import { PipeStock } from "../../src/processes/pipe-stock.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { childrenOf, commandOf, descriptorsOf, gone } from "../kit/processes.ts";
import { until } from "../kit/until.ts";

const launcher = new Launcher();
await launcher.retain();
after(() => launcher.release());
const folder = makeFolder();

const sh = (script: string) =>
  ({
    command: "/bin/sh",
    args: ["-c", script],
    env: { PATH: process.env.PATH ?? "" },
    stdio: ["pipe", "pipe", "lines"],
  }) as const;
const readAll = (end: Readable | undefined) => text(end as Readable);
const launcherPid = (): number => {
  const pid = childrenOf(process.pid).find((each) => commandOf(each).startsWith("sallyport-launcher"));
  assert.ok(pid !== undefined);
  return pid;
};

test("a child opens its streams by name, also when its input has been written and closed long before", async () => {
  const flag = join(folder, "closed");
  const lines: string[] = [];
  const child = await launcher.launch({
    ...sh(
      `until [ -e ${flag} ]; do sleep 0.01; done; cat </dev/stdin >/dev/stdout; cat </dev/stdin; echo no >/dev/stderr`,
    ),
    onLine: (line) => lines.push(line),
  });
  child.streams[0]?.once("close", () => writeFileSync(flag, "")).end("hello");
  assert.equal(await readAll(child.streams[1]), "hello");
  await child.printed;
  assert.deepEqual(lines, ["no"]);
});

test("a child has no other descriptors than its own three, and what this process was started with", async () => {
  const other = await launcher.launch(sh("read -r wait"));
  const child = await launcher.launch(sh("for fd in /proc/$$/fd/*; do readlink $fd && echo $fd; done; true"));
  const lines = (await readAll(child.streams[1])).trim().split("\n");
  for (const end of [child.streams[0], other.streams[0]]) end?.end();
  for (let i = 0; i < lines.length; i += 2) {
    const [target, number] = [lines[i], Number(lines[i + 1]?.split("/").at(-1))];
    if (number <= 2) assert.match(target ?? "", /^pipe:/);
    else assert.equal(target, readlinkSync(`/proc/self/fd/${number}`));
  }
  assert.ok(lines.length >= 6);
});

test("the input of a child that closes it is closed to us, and the output ends with the last that has it open", async () => {
  const child = await launcher.launch(sh("exec <&-; (sleep 0.1; echo last) & echo first"));
  const input = child.streams[0];
  assert.ok(input);
  const closed = new Promise((resolve) => input.once("close", resolve));
  input.write(Buffer.alloc(1_000_000));
  await closed;
  assert.equal((await child.exited).code, 0);
  assert.equal(await readAll(child.streams[1]), "first\nlast\n");
});

test("more children at once than there are pipes all get some, and none stays open", async () => {
  const pid = launcherPid();
  const runs = Array.from({ length: 60 }, async (_, i) => {
    const child = await launcher.launch(sh("cat </dev/stdin >/dev/stdout"));
    child.streams[0]?.end(String(i));
    assert.equal(await readAll(child.streams[1]), String(i));
    await child.printed;
  });
  await Promise.all(runs);
  // What is kept ready for the next ones has a bound.
  await until(() => descriptorsOf(pid) < 120);
});

test("a child that could not be started leaves no pipe open", async () => {
  const before = descriptorsOf(process.pid);
  for (let i = 0; i < 40; i++) {
    const missing = await launcher.launch({ command: "/no/such/program", stdio: ["pipe", "pipe", "lines"] });
    assert.equal((await missing.exited).failure?.code, "ERR_SALLYPORT_SPAWN_FAILED");
  }
  await until(() => descriptorsOf(process.pid) <= before + 5 && descriptorsOf(launcherPid()) < 120);
});

const shellPid = (): number => {
  const [pid] = childrenOf(launcherPid()).filter((each) => commandOf(each).startsWith("/bin/sh"));
  assert.ok(pid !== undefined);
  return pid;
};

test("signals to all processes of ours leave the shell alone", async () => {
  const shell = shellPid();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"]) process.kill(shell, signal);
  for (const kind of await kindsOf(20)) assert.equal(kind, "pipe");
  assert.equal(shellPid(), shell);
});

test("a shell that was killed is replaced", async () => {
  const shell = shellPid();
  process.kill(shell, "SIGKILL");
  await gone(shell);
  for (const kind of await kindsOf(20)) assert.equal(kind, "pipe");
});

test("where there are no pipes, children have sockets, and serve all the same", async (t) => {
  const own = new Launcher({ pipes: false });
  await own.retain();
  t.after(() => own.release());
  assert.deepEqual(await kindsOf(2, own), ["socket", "socket"]);
});

test("pipes need no directory: when it is tidied away, launching goes on", async (t) => {
  const parent = makeFolder(t);
  const { TMPDIR } = process.env;
  process.env.TMPDIR = parent;
  const own = new Launcher();
  await own.retain();
  if (TMPDIR === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = TMPDIR;
  t.after(() => own.release());
  rmSync(parent, { recursive: true });
  assert.deepEqual(await kindsOf(2, own), ["pipe", "pipe"]);
});

/** What the standard input of so many children is, one after the other, each of which repeats what it reads. */
async function kindsOf(count: number, by = launcher): Promise<string[]> {
  const kinds: string[] = [];
  for (let i = 0; i < count; i++) {
    const child = await by.launch(sh('readlink "/proc/$$/fd/0"; cat'));
    child.streams[0]?.end("hello");
    const [kind = "", said] = (await readAll(child.streams[1])).split("\n");
    assert.equal(said, "hello");
    kinds.push(kind.replace(/:.*/, ""));
  }
  return kinds;
}

test("a shell that makes no pipes, says nothing of use or is missing is no maker of pipes", async () => {
  for (const shell of ["/bin/echo", "/bin/false", "/no/such/shell"]) {
    const made = await new Promise<readonly PipeEnds[]>((resolve) => new PipeMaker(resolve, shell).used(0));
    assert.deepEqual(made, [], shell);
  }
});

test("bash makes pipes, too", async () => {
  const batches: (readonly PipeEnds[])[] = [];
  const maker = new PipeMaker((pipes) => batches.push(pipes), "/bin/bash");
  maker.used(0);
  await until(() => batches.length === 1);
  maker.close();
  assert.ok((batches[0]?.length ?? 0) > 0);
  for (const pipe of batches.flat()) closePipe(pipe);
});

test("who waits for pipes gets them in order, or learns that there are none", async () => {
  const stock = new PipeStock();
  const taken = [stock.take(2), stock.take(1)];
  stock.add([[10, 11]]);
  stock.add([
    [12, 13],
    [14, 15],
  ]);
  assert.deepEqual(await Promise.all(taken), [
    [
      [10, 11],
      [12, 13],
    ],
    [[14, 15]],
  ]);
  const late = stock.take(1);
  stock.add([]);
  assert.equal(await late, undefined);
  assert.equal(await stock.take(1), undefined);
  stock.add([[16, 17]]);
  assert.deepEqual(await stock.take(1), [[16, 17]]);
  const last = stock.take(1);
  stock.close();
  assert.equal(await last, undefined);
});
