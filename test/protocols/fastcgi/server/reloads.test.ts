// Programs that we start: reloads that overlap, and a close in the middle of one.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { RecordedExchange } from "../../../../src/testing/index.ts";
import { isAlive } from "../../../kit/processes.ts";
import { type StartedGateway, socketPath, startGateway } from "../raw-application.ts";

interface Spawned extends StartedGateway {
  /** All that have noted their start. */
  pids(): number[];
}

/** A gateway to a program that only notes that it was started. */
async function spawned(t: TestContext): Promise<Spawned> {
  const file = join(dirname(await socketPath(t)), "pids");
  const fronting = await startGateway(t, {
    command: ["/bin/sh", "-c", `echo $$ >> ${file}; exec sleep 600`],
  });
  const pids = (): number[] => readNumbers(file);
  // One that is stopped before would not be noted.
  await until(() => pids().length > 0);
  return { ...fronting, pids };
}

function readNumbers(file: string): number[] {
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  return text.split("\n").filter(Boolean).map(Number);
}

async function until(condition: () => boolean): Promise<void> {
  const give = Date.now() + 20_000;
  while (!condition() && Date.now() < give) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** How many of those that were `started` are left, when no more end. */
async function left({ pids }: Spawned, started: number, most: number): Promise<number> {
  await until(() => pids().length >= started && pids().filter(isAlive).length <= most);
  return pids().filter(isAlive).length;
}

test("two reloads at once leave the processes of one generation", async (t) => {
  const application = await spawned(t);
  await Promise.all([application.gateway.reload?.(), application.gateway.reload?.()]);
  assert.equal(await left(application, 2, 1), 1);
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

/** The first closes its socket and ends a second later; the next one serves. */
const REFUSES_FIRST = `if [ ! -e "$0.once" ]; then touch "$0.once"; exec 0<&-; sleep 1; exit 3; fi; exec "$@"`;

test("a request whose process is just ending waits for the next one", async (t) => {
  const file = join(dirname(await socketPath(t)), "start");
  const app = fileURLToPath(new URL("../../../chaos/apps/checksum_module.mjs", import.meta.url));
  const bin = fileURLToPath(new URL("../../../../bin/sallyport.js", import.meta.url));
  const served = [process.execPath, bin, "serve", app, "--access-log", "off"];
  const { gateway } = await startGateway(t, { command: ["/bin/sh", "-c", REFUSES_FIRST, file, ...served] });
  await until(() => existsSync(`${file}.once`));
  const exchange = new RecordedExchange({ target: "/?1", method: "POST", body: "x" });
  gateway.handle(exchange);
  const { status, body } = await exchange.done;
  assert.deepEqual([status, body.toString().slice(-4)], [200, " 1 1"]);
});
