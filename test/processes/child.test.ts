import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmdirSync } from "node:fs";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Child, describeExit, startChild } from "../../src/processes/index.ts";
import { gone, isAlive } from "../kit/processes.ts";

const PATH = process.env.PATH ?? "";
const sh = (script: string, ...args: string[]) => ({
  command: "/bin/sh",
  args: ["-c", script, "sh", ...args],
  env: { PATH },
});

test("what a child writes on a pipe is read, and its end is told", async () => {
  const child = startChild({ ...sh("cat; exit 3"), stdio: ["pipe", "pipe", "lines"] });
  child.streams[0]?.end("hello");
  assert.equal(await text(child.streams[1] as NodeJS.ReadableStream), "hello");
  assert.deepEqual(await child.exited, { code: 3, signal: null, signalled: false });
});

test("the environment is exactly the one that was given", async () => {
  process.env.SALLYPORT_SECRET = "x";
  const stdio = ["ignore", "pipe", "lines"] as const;
  const child = startChild({ command: "/usr/bin/env", env: { ONE: "1" }, stdio });
  assert.equal(await text(child.streams[1] as NodeJS.ReadableStream), "ONE=1\n");
  delete process.env.SALLYPORT_SECRET;
});

test("each line of standard output and error goes to the log, also the last one without an end", async () => {
  const lines: string[] = [];
  const child = await new Promise<Child>((resolve) => {
    const started = startChild({
      ...sh("echo out; echo err >&2; printf last"),
      onLine: (line, descriptor) => lines.push(`${descriptor}:${line}`) === 3 && resolve(started),
    });
  });
  await child.exited;
  assert.deepEqual(lines.sort(), ["1:last", "1:out", "2:err"]);
});

test("descriptor 3 is a socket pair when a pipe is asked for", async () => {
  const child = startChild({ ...sh("cat <&3 >&3"), stdio: ["ignore", "lines", "lines", "pipe"] });
  const link = child.streams[3];
  link?.end("both ways");
  assert.equal(await text(link as NodeJS.ReadableStream), "both ways");
  assert.deepEqual(await child.exited, { code: 0, signal: null, signalled: false });
});

test("a program that does not exist is a failure in the exit, not an exception", async () => {
  const child = startChild({ command: "/no/such/program" });
  const exit = await child.exited;
  assert.equal(child.pid, undefined);
  assert.equal(exit.failure?.code, "ERR_SALLYPORT_SPAWN_FAILED");
  assert.match(describeExit(exit), /^did not start: \/no\/such\/program could not be started: .*ENOENT/);
  assert.equal((await child.stop(10)).failure, exit.failure);
});

test("a child that exits before reading its input harms nobody", async () => {
  const child = startChild({ ...sh("exec <&-; exit 0"), stdio: ["pipe", "lines", "lines"] });
  child.streams[0]?.write(Buffer.alloc(1_000_000));
  assert.equal((await child.exited).code, 0);
});

test("an exit is described in words", () => {
  assert.equal(describeExit({ code: 3, signal: null }), "exited with status 3");
  assert.equal(describeExit({ code: null, signal: "SIGSEGV" }), "was killed by SIGSEGV");
});

test("stop ends a child that obeys with TERM", async () => {
  const child = startChild(sh("sleep 600"));
  assert.deepEqual(await child.stop(60_000), { code: null, signal: "SIGTERM", signalled: true });
});

/** Starts a child and waits for its first line. */
function firstLine(script: string): Promise<[child: Child, line: string]> {
  return new Promise((resolve) => {
    const child = startChild({ ...sh(script), onLine: (line) => resolve([child, line]) });
  });
}

test("stop ends a child that ignores TERM with KILL after the grace", async () => {
  const [child] = await firstLine("trap '' TERM; echo ready; while :; do sleep 1; done");
  assert.deepEqual(await child.stop(50), { code: null, signal: "SIGKILL", signalled: true });
});

test("stop with an endless grace lets a child end by itself", async () => {
  const [child] = await firstLine("trap 'sleep 0.1; exit 3' TERM; echo ready; while :; do sleep 0.01; done");
  const exit = await child.stop(Number.POSITIVE_INFINITY);
  assert.deepEqual([exit.code, exit.signal], [3, null]);
});

test("stop ends the children of a child too, also those that ignore TERM", async () => {
  const [child, line] = await firstLine(
    "(trap '' TERM; sh -c 'echo $PPID'; while :; do sleep 1; done) & wait",
  );
  await child.stop(60_000);
  await gone(Number(line));
});

test("stopping twice, or after the end, is harmless", async () => {
  const child = startChild(sh("sleep 600"));
  const [first, second] = await Promise.all([child.stop(60_000), child.stop(60_000)]);
  assert.deepEqual(first, second);
  assert.deepEqual(await child.stop(60_000), first);
  child.signal("SIGKILL");
});

test("signal reaches the child", async () => {
  const [child] = await firstLine("trap 'exit 7' USR1; echo ready; while :; do sleep 0.01; done");
  child.signal("SIGUSR1");
  assert.equal((await child.exited).code, 7);
});

test("a grandchild that goes on printing after the child's end is cut off from the log", async () => {
  const [child, line] = await firstLine(
    "(sh -c 'echo $PPID'; while :; do echo more; sleep 0.05; done) & sleep 0.1",
  );
  assert.equal((await child.exited).code, 0);
  await gone(Number(line));
});

test("no child outlives the process that started it", async () => {
  const parent = spawn(process.execPath, [
    ...process.execArgv,
    new URL("leave_child.ts", import.meta.url).pathname,
  ]);
  const [line] = await once(parent.stdout, "data");
  const pid = Number(String(line));
  assert.ok(isAlive(pid));
  parent.stdin.end();
  await once(parent, "exit");
  await gone(pid);
});

test("no child outlives a process that is killed, nor does its directory", async () => {
  const parent = spawn(process.execPath, [
    ...process.execArgv,
    new URL("leave_guarded.ts", import.meta.url).pathname,
  ]);
  const [line] = await once(parent.stdout, "data");
  const [, child, grandchild, directory] = /^(\d+) (\d+) (.+)\n$/.exec(String(line)) ?? [];
  const pids = [Number(child), Number(grandchild)];
  assert.deepEqual(pids.map(isAlive), [true, true]);
  parent.kill("SIGKILL");
  while (pids.some(isAlive)) await delay(20);
  while (existsSync(directory as string) || existsSync(`${directory}last`)) await delay(20);
  assert.ok(existsSync(`${directory}kept`), "what was released is somebody else's");
  rmdirSync(`${directory}kept`);
});
