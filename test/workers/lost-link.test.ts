// A worker dies while answers that it has sent were not read yet, and a write of ours fails first: Node closes the socket then. The
// answers reach their clients all the same; and where they cannot be had, what was answered is not run again.
import assert from "node:assert/strict";
import fs, { existsSync, readFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay, setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Gateway } from "../../src/exchange/index.ts";
import { asgi } from "../../src/protocols/asgi/index.ts";
import { wsgi } from "../../src/protocols/wsgi/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { makeFolder } from "../kit/make-folder.ts";

const APPS = fileURLToPath(new URL("../apps/waiting", import.meta.url));
/** As many as leave at once, in the turn in which they come. */
const MANY = 16;
/** Requests in which a worker learns that it may have more of them than that. */
const WARM = 2_000;

/** This process does nothing else meanwhile. */
function standStill(until: () => boolean): void {
  const deadline = performance.now() + 10_000;
  while (!until() && performance.now() < deadline);
  const later = performance.now() + 50;
  while (performance.now() < later);
}

const NAMES = ["quick", "slow 1", "slow 2", "die"];

interface Loss {
  readonly statuses: readonly (number | undefined)[];
  /** What was run, in alphabetical order. */
  readonly runs: readonly string[];
}

/** Has a worker answer and die while this process does nothing else, and sends it more before anything can be read. */
async function lose(t: TestContext, gateway: Gateway, names: readonly string[]): Promise<Loss> {
  t.after(() => gateway.close?.(0));
  await gateway.start?.();
  const notes = join(makeFolder(t), "notes");
  const ask = (name: string, file = notes): Promise<RecordedExchange> => {
    const exchange = new RecordedExchange({ target: `/?${encodeURIComponent(`${file} ${name}`)}` });
    gateway.handle(exchange);
    return exchange.done.then(() => exchange);
  };
  const runs = (): string[] => (existsSync(notes) ? readFileSync(notes, "utf8").split("\n") : []);
  for (let i = 0; i < WARM; i += 50) await Promise.all(Array.from({ length: 50 }, () => ask("warm", "")));
  await delay(50);

  const first = names.map((name) => ask(name));
  await turn();
  standStill(() => runs().includes("die"));
  const later = Array.from({ length: MANY }, (_, i) => ask(`later ${i}`));
  const statuses = (await Promise.all(first)).map(({ head }) => head?.status);
  for (const { head } of await Promise.all(later)) assert.equal(head?.status, 200, "these had not begun");
  const lines = runs().filter((line) => line !== "");
  return { statuses, runs: lines.toSorted() };
}

const threaded = (threads: number): Gateway => wsgi("counted:app", { chdir: APPS, threads });

function assertOnce({ statuses, runs }: Loss): void {
  assert.deepEqual(runs, [...new Set(runs)], "each is run once");
  assert.equal(runs.length, statuses.length + MANY);
}

test("what was answered reaches its clients, one thread", async (t) => {
  const loss = await lose(t, threaded(1), NAMES);
  assert.deepEqual(loss.statuses, [200, 200, 200, 502]);
  assertOnce(loss);
});

test("what was answered reaches its clients, two threads", async (t) => {
  const loss = await lose(t, threaded(2), NAMES);
  const [quick, ...others] = loss.statuses;
  assert.equal(quick, 200);
  assert.deepEqual(others.toSorted().slice(0, 1), [200], "only one may have been inside beside the last");
  assert.equal(others.at(-1), 502);
  assertOnce(loss);
});

test("what was answered reaches its clients, an event loop", async (t) => {
  const names = [...Array.from({ length: 8 }, (_, i) => `quick ${i}`), "die"];
  const loss = await lose(t, asgi("counted:coroutine", { chdir: APPS }), names);
  assert.deepEqual(loss.statuses, [...Array(8).fill(200), 502]);
  assertOnce(loss);
});

for (const threads of [1, 2])
  test(`what was answered and cannot be had is not run again, threads: ${threads}`, async (t) => {
    // The link is read so once it is closed, and nothing else is.
    const { readSync } = fs;
    t.mock.method(fs, "readSync", (...args: Parameters<typeof readSync>) => {
      if (args.length === 2) throw new Error("not to be had");
      return readSync(...args);
    });
    syncBuiltinESMExports();
    t.after(() => {
      t.mock.restoreAll();
      syncBuiltinESMExports();
    });
    const loss = await lose(t, threaded(threads), NAMES);
    assert.equal(loss.statuses[3], 502);
    assert.ok(
      loss.statuses.every((status) => status === 200 || status === 502),
      `${loss.statuses}`,
    );
    assert.ok(loss.statuses.filter((status) => status === 502).length > 1, "nothing was lost");
    assertOnce(loss);
  });
