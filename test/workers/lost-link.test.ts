// A worker dies while answers that it has sent were not read yet, and a write of ours fails first: Node closes the socket then, and
// these answers with it. What was answered must not be run again.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay, setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
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

for (const threads of [1, 2])
  test(`what was answered is not run again, ${threads === 1 ? "one thread" : `${threads} threads`}`, async (t) => {
    const gateway = wsgi("counted:app", { chdir: APPS, threads });
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

    const first = ["quick", "slow 1", "slow 2", "die"].map((name) => ask(name));
    await turn();
    standStill(() => runs().includes("die"));
    const later = Array.from({ length: MANY }, (_, i) => ask(`later ${i}`));
    const statuses = (await Promise.all(first)).map(({ head }) => head?.status);
    assert.equal(statuses[3], 502);
    assert.ok(
      statuses.every((status) => status === 200 || status === 502),
      `${statuses}`,
    );
    assert.ok(
      (await Promise.all(later)).every(({ head }) => head?.status === 200),
      "these had not begun",
    );
    const all = runs()
      .filter((line) => line !== "")
      .toSorted();
    assert.deepEqual(all, [...new Set(all)], "each is run once");
    assert.equal(all.length, 4 + MANY);
  });
