// Applications that fork: a child which comes back to us is ended, and neither runs requests nor harms the worker. For
// python/sallyport/forks.py. Those of multiprocessing do as they do anywhere.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Gateway } from "../../src/exchange/index.ts";
import { type AsgiOptions, asgi } from "../../src/protocols/asgi/index.ts";
import { type WsgiOptions, wsgi } from "../../src/protocols/wsgi/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { keepLog, type Line } from "../kit/keep-log.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { needs, VENV_PYTHON } from "../kit/needs.ts";
import { until } from "../kit/until.ts";

const APPS = fileURLToPath(new URL("../apps/forks", import.meta.url));

interface Started {
  readonly gateway: Gateway;
  readonly lines: readonly Line[];
  logged(pattern: RegExp): Promise<Line>;
  ask(page: string): Promise<string>;
  records(): string[];
}

async function start(
  t: TestContext,
  app: "asgi_forks" | "wsgi_forks",
  options: AsgiOptions & WsgiOptions,
): Promise<Started> {
  const file = join(makeFolder(t), "records");
  const { log, lines, logged } = keepLog();
  const env = { FORKS_LOG: file, ...options.env };
  const all = { chdir: APPS, python: "python3", processes: 1, ...options, env, log };
  const gateway = app === "asgi_forks" ? asgi(app, all) : wsgi(app, all);
  t.after(() => gateway.close?.(2_000));
  await gateway.start?.();
  const ask = async (page: string): Promise<string> => {
    const exchange = new RecordedExchange({ target: `/${page}`, log });
    gateway.handle(exchange);
    const { status, body } = await exchange.done;
    return `${status} ${body}`;
  };
  const records = (): string[] =>
    existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : [];
  return { gateway, lines, logged, ask, records };
}

const LOOPS = [
  ["asyncio of the system's Python", { python: "python3", loop: "asyncio" }, []],
  ["asyncio", { python: VENV_PYTHON, loop: "asyncio" }, ["py:uvloop"]],
  ["uvloop", { python: VENV_PYTHON, loop: "uvloop" }, ["py:uvloop"]],
] as const;

for (const [name, options, needed] of LOOPS)
  test(`${name}: a child that comes back from a request ends, and the worker goes on`, async (t) => {
    if (!needs(t, ...needed)) return;
    const { gateway, ask, records, lines, logged } = await start(t, "asgi_forks", {
      ...options,
      env: { FORK_AT_START: "1" },
    });
    const pages = {
      leave: "3",
      wait_and_leave: "3",
      // uvloop takes another turn before it raises SystemExit, which the child must not.
      leave_a_task: name === "uvloop" ? "1" : "3",
      leave_later_in_a_task: name === "uvloop" ? "1" : "3",
      fail: "1",
      return_to_server: "1",
      wait_in_child: "1",
      process_returns: "0",
      process_leaves: "5",
      process_terminated: "-15",
      use_a_thread: "woken",
    };
    for (const [page, said] of Object.entries(pages)) assert.equal(await ask(page), `200 ${said}`, page);
    // Requests that came together: none of them runs in the child of another.
    const many = ["return_to_server", "wait_in_child", "a", "b", "c"];
    assert.deepEqual(await Promise.all(many.map(ask)), ["200 1", "200 1", "200 a", "200 b", "200 c"]);
    await logged(/KeyError: 'nothing'/);
    await logged(/a fork of the application's, came back/);
    await gateway.close?.(2_000);
    assert.deepEqual(records(), ["start 3", ...Object.keys(pages), ...many, "shutdown"]);
    assert.deepEqual(
      lines.filter(({ message }) => /another starts|did not exit/.test(message)),
      [],
    );
  });

for (const threads of [1, 2])
  test(`WSGI, threads: ${threads}: a child that comes back from a request ends, and runs no other request`, async (t) => {
    const { ask, records, lines, logged } = await start(t, "wsgi_forks", { threads });
    const pages = { leave: "3", fail: "1", return_to_server: "1", yield_to_server: "1" };
    for (const [page, said] of Object.entries(pages)) {
      const asked = [page, ...Array.from({ length: 8 }, (_, i) => `${page}-${i}`)];
      const answers = await Promise.all(asked.map(ask));
      assert.deepEqual(answers, [`200 ${said}`, ...asked.slice(1).map((each) => `200 ${each}`)]);
      const seen = records().filter((each) => each.startsWith(page));
      assert.deepEqual(seen.sort(), asked.sort());
    }
    await logged(/KeyError: 'nothing'/);
    assert.deepEqual(
      lines.filter(({ message }) => /another starts/.test(message)),
      [],
    );
  });

test("a program that loads the main module of a worker, as those of anyio do, is not another worker", async (t) => {
  const { ask } = await start(t, "wsgi_forks", {});
  assert.equal(await ask("load_main"), "200 0");
});

const STAYING = [
  ...LOOPS.map(
    ([name, options, needed]) => [`a fork stays: ${name}`, "asgi_forks", options, needed] as const,
  ),
  ["a program stays that has the link: WSGI", "wsgi_forks", {}, []],
  ["a program stays that has the link: WSGI with threads", "wsgi_forks", { threads: 2 }, []],
] as const;

for (const [what, app, options, needed] of STAYING)
  test(`a worker that dies is replaced, and its requests fail, although ${what}`, async (t) => {
    if (!needs(t, ...needed)) return;
    const { ask, records } = await start(t, app, options);
    const [, worker, child] = (await ask("leave_behind")).split(" ").map(Number) as [number, number, number];
    t.after(() => process.kill(child, "SIGKILL"));
    const waiting = ask("wait");
    await until(() => records().includes("wait"));
    process.kill(worker, "SIGKILL");
    assert.match(await waiting, /^502 .*ERR_SALLYPORT_WORKER_DIED/s);
    assert.equal(await ask("a"), "200 a");
  });
