// A process that listens at a socket and stays: started again when it ends, ended with the demonstration.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ListeningApplication } from "../../src/demo/application.ts";
import { keepLog } from "../kit/keep-log.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { gone } from "../kit/processes.ts";
import { until } from "../kit/until.ts";

const LISTEN =
  'require("node:net").createServer((socket) => socket.on("error", () => {}).end("hello")).listen(process.argv[2]);\n';

function applicationOf(t: TestContext, program: string, startTimeout?: number) {
  const directory = makeFolder(t);
  const file = join(directory, "program.cjs");
  writeFileSync(file, program);
  const { log, logged } = keepLog();
  const socket = join(directory, "socket");
  const application = new ListeningApplication({
    command: [process.execPath, file],
    socket,
    directory,
    log,
    ...(startTimeout === undefined ? {} : { startTimeout }),
  });
  t.after(() => application.close());
  return { application, logged, socket };
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once("data", () => resolve(true)).once("error", () => resolve(false));
    socket.once("data", () => socket.destroy());
  });

test("it has started when it listens, and is ended by close", async (t) => {
  const { application, socket } = applicationOf(t, LISTEN);
  await application.start();
  assert.equal(await answers(socket), true);
  assert.equal(application.started, 1);
  const pid = application.pid as number;
  await application.close();
  await gone(pid);
  assert.equal(await answers(socket), false);
});

test("when it is killed another process takes its place, and counts its requests from the beginning", async (t) => {
  const { application, logged, socket } = applicationOf(t, LISTEN);
  await application.start();
  const pid = application.pid as number;
  application.requests = 7;
  process.kill(pid, "SIGKILL");
  const { fields } = await logged(/SIGKILL.*another starts/);
  assert.equal(fields.code, "ERR_SALLYPORT_WORKER_DIED");
  await until(() => answers(socket));
  assert.notEqual(application.pid, pid);
  assert.deepEqual([application.started, application.requests], [2, 0]);
});

test("a program that ends at once is not started for ever, and start says so", async (t) => {
  const { application, logged } = applicationOf(t, "process.exit(3);\n");
  await assert.rejects(application.start(), {
    code: "ERR_SALLYPORT_SPAWN_FAILED",
    message: /does not listen/,
  });
  await logged(/another starts in \d+ ms/);
  await application.close();
  assert.equal(application.pid, undefined);
});

test("a program that never listens is given up after its time", async (t) => {
  const { application } = applicationOf(t, "setInterval(() => {}, 1000);\n", 300);
  await assert.rejects(application.start(), {
    code: "ERR_SALLYPORT_SPAWN_FAILED",
    message: /does not listen/,
  });
  const pid = application.pid as number;
  await application.close();
  await gone(pid);
});
