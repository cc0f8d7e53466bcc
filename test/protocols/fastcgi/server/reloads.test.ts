// Programs that we start: reloads that overlap, and a close in the middle of one.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { SallyportError } from "../../../../src/exchange/index.ts";
import type { FastcgiOptions } from "../../../../src/protocols/fastcgi/index.ts";
import { RecordedExchange } from "../../../../src/testing/index.ts";
import { isAlive } from "../../../kit/processes.ts";
import { type StartedGateway, socketPath, startGateway } from "../raw-application.ts";

interface Spawned extends StartedGateway {
  /** All that have noted their start. */
  pids(): number[];
}

const BIN = fileURLToPath(new URL("../../../../bin/sallyport.js", import.meta.url));
const serve = (app: string): string[] => [process.execPath, BIN, "serve", app, "--access-log", "off"];
const CHECKSUM = fileURLToPath(new URL("../../../chaos/apps/checksum_module.mjs", import.meta.url));

/** A gateway to a program that notes that it was started. */
async function spawned(t: TestContext): Promise<Spawned> {
  const file = join(dirname(await socketPath(t)), "pids");
  const fronting = await startGateway(t, {
    command: ["/bin/sh", "-c", `echo $$ >> ${file}; exec "$@"`, "sh", ...serve(CHECKSUM)],
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

/** The first answers, closes its socket soon, and ends a moment later; the next one serves. */
const REFUSES_FIRST = `if [ -e "$0.once" ]; then exec "$@"; fi
exec 3<&0; "$@" <&3 & served=$!; while [ ! -e "$0.close" ]; do sleep 0.05; done
exec 0<&- 3<&-; kill -9 $served; wait $served; touch "$0.once"; sleep 0.5; exit 3`;

test("a request whose process is just ending waits for the next one", async (t) => {
  const file = join(dirname(await socketPath(t)), "start");
  const command = ["/bin/sh", "-c", REFUSES_FIRST, file, ...serve(CHECKSUM)];
  const { gateway } = await startGateway(t, { command });
  writeFileSync(`${file}.close`, "");
  await until(() => existsSync(`${file}.once`));
  const exchange = new RecordedExchange({ target: "/?1", method: "POST", body: "x" });
  gateway.handle(exchange);
  const { status, body } = await exchange.done;
  assert.deepEqual([status, body.toString().slice(-4)], [200, " 1 1"]);
});

const GOOD = "export default () => new Response(String(process.pid));";
const BROKEN = 'throw new Error("not what it was");';

/** A gateway to an app of one file, which `deploy` changes. */
async function deployed(t: TestContext, options: FastcgiOptions = {}) {
  const file = join(dirname(await socketPath(t)), "app.mjs");
  writeFileSync(file, GOOD);
  const started = await startGateway(t, { command: serve(file), ...options });
  const ask = async (): Promise<string> => {
    const { status, body } = await started.ask();
    assert.equal(status, 200);
    return body.toString();
  };
  return { ...started, ask, deploy: (text: string) => writeFileSync(file, text) };
}

test("a reload to an application that does not start says why, and the old process stays", async (t) => {
  const { gateway, ask, deploy } = await deployed(t);
  const pid = await ask();
  deploy(BROKEN);
  await assert.rejects(gateway.reload?.() as Promise<void>, (error: SallyportError) => {
    assert.equal(error.code, "ERR_SALLYPORT_SPAWN_FAILED");
    assert.match(error.message, /exited with status 1 before it was ready/);
    assert.match(error.detail ?? "", /not what it was/);
    return true;
  });
  assert.equal(await ask(), pid);
  assert.equal(gateway.status?.().processes.length, 1);
  deploy(GOOD);
  await gateway.reload?.();
  assert.notEqual(await ask(), pid);
});

test("with `min: 0` a reload tries the program where a process would be replaced, and otherwise leaves that to the next request", async (t) => {
  const awake = setInterval(() => {}, 60_000);
  t.after(() => clearInterval(awake));
  const processes = { min: 0, max: 1, idleTimeout: 2_000 };
  const server = await deployed(t, { processes });
  const count = (): number | undefined => server.gateway.status?.().processes.length;
  await server.ask();
  server.deploy(BROKEN);
  await assert.rejects(server.gateway.reload?.() as Promise<void>, { code: "ERR_SALLYPORT_SPAWN_FAILED" });
  await until(() => count() === 0);
  await server.gateway.reload?.();
  assert.equal(count(), 0);
  await assert.rejects(server.ask());
  const { fields } = await server.logged(/exited with status 1 before it (was ready|served a request)$/);
  assert.match(String(fields.detail), /not what it was/);
});

test("a process that is to be replaced stays while no successor starts", async (t) => {
  const { ask, deploy, logged } = await deployed(t, { maxRequests: 2 });
  const pid = await ask();
  deploy(BROKEN);
  await ask();
  const { fields } = await logged(/^no successor for .* exited with status 1 before it was ready/);
  assert.match(String(fields.detail), /not what it was/);
  assert.equal(await ask(), pid);
  deploy(GOOD);
  await logged(/another takes over/);
  assert.notEqual(await ask(), pid);
});

test("a process that dies while its successor starts has one successor", { timeout: 60_000 }, async (t) => {
  const file = join(dirname(await socketPath(t)), "pids");
  const slowly = `echo $$ >> ${file}; [ $(wc -l < ${file}) = 1 ] || sleep 1; exec "$@"`;
  const command = ["/bin/sh", "-c", slowly, "sh", ...serve(CHECKSUM)];
  const { gateway, ask, logged } = await startGateway(t, { command, maxRequests: 1 });
  const pids = (): number[] => readNumbers(file);
  await ask();
  await until(() => pids().length === 2);
  process.kill(pids()[0] as number, "SIGKILL");
  await logged(/another takes over/);
  const left = (): number[] => [
    pids().length,
    pids().filter(isAlive).length,
    gateway.status?.().processes.length ?? 0,
  ];
  await until(() => String(left()) === "3,1,1");
  assert.deepEqual(left(), [3, 1, 1]);
});

test("an application that does not start at all fails the start of its gateway", async (t) => {
  const file = join(dirname(await socketPath(t)), "app.mjs");
  writeFileSync(file, BROKEN);
  await assert.rejects(startGateway(t, { command: serve(file), processes: 2 }), {
    code: "ERR_SALLYPORT_SPAWN_FAILED",
  });
});

test("one that never answers management records is ready when it has lived for a while", async (t) => {
  const { gateway } = await startGateway(t, { command: ["/bin/sh", "-c", "exec sleep 600"] });
  assert.equal(gateway.status?.().processes.length, 1);
});

/** Of those that find a directory of this name, the first serves, and the others end when there is a file "end" in it. */
const ONE_OF_TWO = `if [ -e "$0" ] && ! mkdir "$0/first" 2>/dev/null
then while [ ! -e "$0/end" ]; do sleep 0.05; done; exit 3; fi; exec "$@"`;

test("a reload of which one process does not start fails no request: the others had got none", async (t) => {
  const folder = dirname(await socketPath(t));
  const [trap, pids, file] = [join(folder, "trap"), join(folder, "pids"), join(folder, "app.mjs")];
  writeFileSync(
    file,
    `import { appendFileSync } from "node:fs";
appendFileSync(${JSON.stringify(pids)}, process.pid + "\\n");
export default async () => {
  await new Promise((resolve) => setTimeout(resolve, 500));
  return new Response(String(process.pid));
};`,
  );
  const command = ["/bin/sh", "-c", ONE_OF_TWO, trap, ...serve(file)];
  const { gateway, ask } = await startGateway(t, { command, processes: 2 });
  const before = readNumbers(pids);
  mkdirSync(trap);
  const reload = assert.rejects(gateway.reload?.() as Promise<void>, { code: "ERR_SALLYPORT_SPAWN_FAILED" });
  await until(() => readNumbers(pids).length > before.length);
  // Meanwhile the one that has started says that it is ready.
  const answers: ReturnType<typeof ask>[] = [];
  while (answers.length < 60) {
    answers.push(ask({ method: "POST", body: "x" }));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  writeFileSync(join(trap, "end"), "");
  await reload;
  for (const { status, body } of await Promise.all(answers))
    assert.deepEqual([status, before.includes(Number(body.toString()))], [200, true]);
});
