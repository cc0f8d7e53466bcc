// Programs that we start: reloads that overlap, and a close in the middle of one.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { isAlive } from "../../../kit/processes.ts";
import { type StartedGateway, socketPath, startGateway } from "../raw-application.ts";

interface Spawned extends StartedGateway {
  /** Those that were ever started. */
  pids(): number[];
}

/** A gateway to a program that only notes that it was started. */
async function spawned(t: TestContext): Promise<Spawned> {
  const file = join(dirname(await socketPath(t)), "pids");
  const fronting = await startGateway(t, {
    command: ["/bin/sh", "-c", `echo $$ >> ${file}; exec sleep 600`],
  });
  return { ...fronting, pids: () => readFileSync(file, "utf8").split("\n").filter(Boolean).map(Number) };
}

/** How many of those that were `started` are left, when no more end. */
async function left({ pids }: Spawned, started: number, most: number): Promise<number> {
  const give = Date.now() + 20_000;
  const wait = (): boolean => pids().length < started || pids().filter(isAlive).length > most;
  while (wait() && Date.now() < give) await new Promise((resolve) => setTimeout(resolve, 20));
  return pids().filter(isAlive).length;
}

test("two reloads at once leave the processes of one generation", async (t) => {
  const application = await spawned(t);
  await Promise.all([application.gateway.reload?.(), application.gateway.reload?.()]);
  assert.equal(await left(application, 3, 1), 1);
  assert.ok(isAlive(application.pids().at(-1) ?? 0));
});

test("a gateway that is closed in the middle of a reload leaves no process behind", async (t) => {
  const application = await spawned(t);
  const reload = assert.rejects(application.gateway.reload?.() as Promise<void>, {
    code: "ERR_SALLYPORT_STOPPING",
  });
  await application.gateway.close?.(500);
  await reload;
  assert.equal(await left(application, 1, 0), 0);
});
