// A server process as its supervisor holds it: a small program stands in for it.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ServerProcess } from "../../src/cluster/process.ts";
import { Scoreboard } from "../../src/cluster/scoreboard.ts";
import { SharedSockets } from "../../src/cluster/shared-sockets.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { until } from "../kit/until.ts";

/** Answers each question except those for stacks. */
const PROGRAM = `process.on("message", ({ id, question }) => {
  if (question.ask === "status") process.send({ say: "answer", id, value: { id } });
});
process.send({ say: "ready" });
`;

async function start(t: TestContext): Promise<ServerProcess> {
  const program = join(makeFolder(t), "answer.mjs");
  writeFileSync(program, PROGRAM);
  const [, own = ""] = process.argv;
  process.argv[1] = program; // it is this command line that is started once more
  const scoreboard = new Scoreboard();
  const sockets = await SharedSockets.open([], "/");
  const server = new ServerProcess({
    generation: 1,
    sockets,
    scoreboard,
    handed: undefined,
    startTimeout: 1,
    grace: 0,
    ending: () => {},
  });
  process.argv[1] = own;
  t.after(async () => {
    server.kill();
    await server.exited;
    scoreboard.close();
  });
  assert.equal(await server.ready, true);
  return server;
}

const PATIENCE = 60_000;

test("answers of a server process are not kept while it lives", async (t) => {
  const server = await start(t);
  const ask = async (): Promise<WeakRef<object>> =>
    new WeakRef((await server.ask({ ask: "status" }, PATIENCE)) as object);
  const answers = await Promise.all(Array.from({ length: 20 }, ask));
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  await until(() => {
    collect();
    return answers.every((answer) => answer.deref() === undefined);
  });
});

test("what it has not answered when it ends is refused, and so is what it is asked later", async (t) => {
  const server = await start(t);
  const ended = {
    code: "ERR_SALLYPORT_NOT_READY",
    message: new RegExp(`server process ${server.pid} ended`),
  };
  const ask = (): Promise<void> =>
    assert.rejects(server.ask({ ask: "stacks", app: "site" }, PATIENCE), ended);
  const waiting = [ask(), ask()];
  server.kill();
  await Promise.all(waiting);
  await ask();
});
