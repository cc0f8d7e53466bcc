// Standard output and error of a child can be opened by name, as files of logging frameworks and shells do.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { startChild } from "../../src/processes/index.ts";
import { discardPipe, makePipes } from "../../src/processes/pipes.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { until } from "../kit/until.ts";

const PATH = process.env.PATH ?? "";

async function printedBy(script: string): Promise<string[]> {
  const lines: string[] = [];
  const child = startChild({
    command: "/bin/sh",
    args: ["-c", script],
    env: { PATH },
    onLine: (line, descriptor) => lines.push(`${descriptor}:${line}`),
  });
  const { code } = await child.exited;
  await child.printed;
  assert.equal(code, 0);
  return lines.sort();
}

test("a child opens its standard output and error by their names", async () => {
  const script = "echo out >/dev/stdout; echo err >>/dev/stderr; cat </dev/stdin; echo own";
  assert.deepEqual(await printedBy(script), ["1:out", "1:own", "2:err"]);
});

test("much output arrives whole and in order, and the end of the child is the end of its output", async () => {
  const lines = await printedBy("i=0; while [ $i -lt 20000 ]; do echo $((100000 + i)); i=$((i + 1)); done");
  assert.equal(lines.length, 20_000);
  assert.deepEqual([lines[0], lines.at(-1)], ["1:100000", "1:119999"]);
});

test("without mkfifo a child prints all the same, into sockets", async (t) => {
  const before = process.env.PATH;
  t.after(() => {
    process.env.PATH = before;
  });
  process.env.PATH = makeFolder(t);
  assert.deepEqual(makePipes(1), []);
  assert.deepEqual(await printedBy("echo out; echo err >&2"), ["1:out", "2:err"]);
});

test("neither names nor descriptors are left of pipes, whether they were used or not", async (t) => {
  const folder = makeFolder(t);
  const before = process.env.TMPDIR;
  t.after(() => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  });
  process.env.TMPDIR = folder;
  const open = (): number => readdirSync("/dev/fd").length;
  const first = open();
  for (const pipe of makePipes(3)) discardPipe(pipe);
  await printedBy("echo out");
  assert.equal(startChild({ command: "/no/such/program" }).pid, undefined);
  startChild({ command: "/bin/true", args: ["\0"] });
  assert.deepEqual(readdirSync(folder), []);
  await until(() => open() <= first);
});
