// The memory of large request bodies is used again, but never before the worker that may read it is done or dead, and never
// while the request may still go to another one. Not by way of `lint`, whose bodies are of a class of their own.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { blocks } from "../../src/exchange/blocks.ts";
import { type Gateway, WholeBody } from "../../src/exchange/index.ts";
import { asgi } from "../../src/protocols/asgi/index.ts";
import { wsgi } from "../../src/protocols/wsgi/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { gone } from "../kit/processes.ts";
import { pythons } from "../kit/pythons.ts";
import { until } from "../kit/until.ts";

const SIZE = 40_000;
const GARBAGE = Buffer.alloc(SIZE, 0xff);
const place = {
  chdir: fileURLToPath(new URL("../apps/waiting", import.meta.url)),
  python: pythons()[0]?.path as string,
};

const MODES = {
  "WSGI, one thread": { make: () => wsgi("waiting:app", place), waiting: 1 },
  "WSGI, two threads": { make: () => wsgi("waiting:app", { ...place, threads: 2 }), waiting: 2 },
  ASGI: { make: () => asgi("waiting:asgi_app", { ...place, lifespan: "off" }), waiting: 1 },
} as const;

interface Asked {
  readonly exchange: RecordedExchange;
  /** The answer. */
  readonly expected: string;
}

/** A worker whose threads, or whose event loop, are blocked: requests that follow wait inside or in front of it. */
class Blocked {
  readonly gateway: Gateway;
  readonly #folder: string;
  #files: string[] = [];

  static async start(t: TestContext, make: () => Gateway): Promise<Blocked> {
    const gateway = make();
    t.after(() => gateway.close?.(2_000));
    await gateway.start?.();
    const blocked = new Blocked(gateway, makeFolder(t));
    // Quick requests are sent ahead to a worker with threads, too.
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 50 }, () => blocked.hello()));
    return blocked;
  }

  private constructor(gateway: Gateway, folder: string) {
    this.gateway = gateway;
    this.#folder = folder;
  }

  hello(): Promise<unknown> {
    const exchange = new RecordedExchange({ target: "/" });
    this.gateway.handle(exchange);
    return exchange.done;
  }

  /** Asks with a body from the pool, of a pattern that the seed decides. */
  ask(target: string, seed: number): Asked {
    const pattern = createHash("sha256").update(`${seed}`).digest();
    const bytes = blocks.take(SIZE).fill(pattern);
    const exchange = new RecordedExchange({ method: "POST", target, body: new WholeBody(bytes) });
    this.gateway.handle(exchange);
    return { exchange, expected: createHash("sha256").update(bytes).digest("hex") };
  }

  /** Gives the requests that block it. */
  async block(count: number): Promise<RecordedExchange[]> {
    const files = Array.from({ length: count }, (_, i) => join(this.#folder, `${this.#files.length + i}`));
    this.#files.push(...files);
    const asked = files.map((file, i) => this.ask(`/wait?${file}`, -1 - i).exchange);
    await until(() => files.every((file) => existsSync(`${file}.begun`)));
    return asked;
  }

  unblock(): void {
    for (const file of this.#files) writeFileSync(file, "");
  }

  async kill(): Promise<void> {
    const pid = this.gateway.status?.().processes[0]?.pid as number;
    process.kill(pid, "SIGKILL");
    await gone(pid);
  }
}

/** Its blocks are all of one size here. */
function emptyPool(): void {
  while (blocks.kept > 0) blocks.take(SIZE);
}

const AHEAD = 6;
const seeds = Array.from({ length: AHEAD }, (_, i) => i);

for (const [name, { make, waiting }] of Object.entries(MODES)) {
  test(`requests that a killed worker had not begun go on with their own bytes: ${name}`, async (t) => {
    const worker = await Blocked.start(t, make);
    emptyPool();
    for (let round = 0; round < 3; round++) {
      const inside = await worker.block(waiting);
      const ahead = seeds.map((seed) => worker.ask("/", seed));
      await worker.kill();
      for (const lost of inside) assert.equal((await lost.done).status, 502);
      // What anybody else now writes into memory from the pool is not seen by them.
      const others = Array.from({ length: AHEAD + waiting }, () => blocks.take(SIZE).fill(GARBAGE));
      for (const { exchange, expected } of ahead)
        assert.equal((await exchange.done).body.toString(), expected);
      for (const block of others) blocks.give(block);
    }
    // Those of a round, and those of the others: each is there once.
    await until(() => blocks.kept === 2 * AHEAD + waiting);
  });

  test(`the bytes of clients that left are not used again before the worker is done: ${name}`, async (t) => {
    const worker = await Blocked.start(t, make);
    emptyPool();
    const inside = await worker.block(waiting);
    const ahead = seeds.map((seed) => worker.ask("/", seed));
    inside[0]?.hangUp();
    assert.equal(blocks.kept, 0);
    // Some may wait in front of the worker, and theirs are not needed any more.
    for (const { exchange } of ahead.slice(1)) exchange.hangUp();
    worker.unblock();
    assert.equal((await ahead[0]?.exchange.done)?.body.toString(), ahead[0]?.expected);
    await until(() => blocks.kept === AHEAD + waiting);
  });
}
