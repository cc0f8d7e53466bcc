import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs, {
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { descriptorSink, fileSink } from "../../src/logs/sinks.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { until } from "../kit/until.ts";

const directory = makeFolder();

test("lines reach a file in order, and all of them before it is closed", async () => {
  const file = join(directory, "new", "lines");
  const sink = await fileSink(file);
  for (let i = 0; i < 10_000; i++) sink.write(`${i}\n`);
  await sink.close();
  assert.equal(readFileSync(file, "utf8"), Array.from({ length: 10_000 }, (_, i) => `${i}\n`).join(""));
});

test("a reader that is stuck makes us keep 4 MiB of lines and no more, and cannot hold the end up", async () => {
  const fifo = join(directory, "fifo");
  execFileSync("mkfifo", [fifo]);
  const sink = descriptorSink(openSync(fifo, constants.O_RDWR));
  const line = `${"x".repeat(1023)}\n`;
  for (let i = 0; i < 8 * 1024; i++) sink.write(line);
  await sink.close();
  let bytes = 0;
  const reader = new Socket({
    fd: openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK),
    readable: true,
  });
  reader.on("data", (chunk) => {
    bytes += chunk.length;
  });
  await sink.close();
  reader.destroy();
  assert.ok(bytes > 3 * 2 ** 20 && bytes <= 4 * 2 ** 20, String(bytes));
});

test("lines lost to a reader that is stuck are reported once, with their number when it reads again", async () => {
  const fifo = join(directory, "slow");
  execFileSync("mkfifo", [fifo]);
  const told: string[] = [];
  const sink = descriptorSink(openSync(fifo, constants.O_RDWR), (message) => told.push(message));
  const line = `${"x".repeat(1023)}\n`;
  const WRITTEN = 8 * 1024;
  for (let i = 0; i < WRITTEN; i++) sink.write(line);
  assert.equal(told.length, 1);
  assert.match(String(told[0]), /the access log cannot be written.*its reader is too slow/);
  let bytes = 0;
  const reader = new Socket({
    fd: openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK),
    readable: true,
  });
  reader.on("data", (chunk) => {
    bytes += chunk.length;
  });
  await sink.close();
  while (bytes % line.length !== 0 || told.length < 2) await setImmediate();
  reader.destroy();
  assert.equal(told.length, 2);
  assert.equal(Number(/(\d+) lines of it were lost/.exec(String(told[1]))?.[1]), WRITTEN - bytes / 1024);
});

test("a pipe that other processes have, too, is opened anew, so that no write to it blocks; a file is not", () => {
  const isAt = (fd: string, path: string): boolean =>
    existsSync(`/proc/self/fd/${fd}`) && readlinkSync(`/proc/self/fd/${fd}`) === path;
  const opened = (path: string): string[] => readdirSync("/proc/self/fd").filter((fd) => isAt(fd, path));
  const blocks = (fd: string): boolean => {
    const flags = /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "";
    return (Number.parseInt(flags, 8) & constants.O_NONBLOCK) === 0;
  };
  const [fifo, plain] = [join(directory, "shared"), join(directory, "plain")];
  execFileSync("mkfifo", [fifo]);
  const shared = openSync(fifo, constants.O_RDWR);
  for (const fd of [shared, openSync(plain, "w")]) descriptorSink(fd);
  const [own, ...others] = opened(fifo).filter((fd) => fd !== String(shared));
  assert.deepEqual([others, opened(plain).length], [[], 1]);
  assert.deepEqual([blocks(String(own)), blocks(String(shared))], [false, true]);
});

test("a full disk is reported with its error", async () => {
  const told: string[] = [];
  const sink = await fileSink("/dev/full", (message) => told.push(message));
  sink.write("lost\n");
  await sink.close();
  assert.equal(told.length, 1);
  assert.match(String(told[0]), /the access log cannot be written.*ENOSPC/);
  assert.equal(sink.write("late\n"), false);
});

test("a file that cannot be opened anew is told of; lines go on into the old one, and no descriptor is closed twice", async (t) => {
  const folder = join(directory, "rotated");
  const file = join(folder, "lines");
  const reports: string[] = [];
  const sink = await fileSink(file, (message) => reports.push(message));
  const closed = t.mock.method(fs, "close");
  sink.write("1\n");
  renameSync(folder, `${folder}.old`);
  writeFileSync(folder, "no directory");
  for (let i = 1; i <= 3; i++) {
    sink.reopen();
    await until(() => reports.length === i);
  }
  assert.match(reports[0] ?? "", /^the access log goes on into the file that it has: E(EXIST|NOTDIR)/);
  sink.write("2\n");
  rmSync(folder);
  sink.reopen();
  await until(() => existsSync(file) && closed.mock.callCount() > 0);
  sink.write("3\n");
  await sink.close();
  assert.deepEqual([reports.length, closed.mock.callCount()], [3, 1], reports.join("\n"));
  assert.equal(readFileSync(join(`${folder}.old`, "lines"), "utf8"), "1\n2\n");
  assert.equal(readFileSync(file, "utf8"), "3\n");
});
