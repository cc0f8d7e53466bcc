import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { test } from "node:test";
import fastify from "fastify";
import { gatewayOfExport, type LoadOptions } from "../../src/apps/load-kind.ts";
import type { Gateway } from "../../src/exchange/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { keepLog } from "../kit/keep-log.ts";

const loaded = (app: unknown, options?: LoadOptions): Promise<Gateway> =>
  gatewayOfExport(app, "the app", options);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Whether the promise has settled, after all that can run now has run. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false;
  promise.then(() => (over = true));
  for (let i = 0; i < 5; i += 1) await turn();
  return over;
}

/** Apps that answer when they are told, and their own end. */
const APPS: Readonly<
  Record<string, (held: Promise<void>) => { app: unknown; close: () => Promise<unknown> }>
> = {
  "a server of node:http": (held) => {
    const app = createServer((_, res) => void held.then(() => res.end()));
    return { app, close: () => new Promise((resolve) => app.close(resolve)) };
  },
  "a Fastify app": (held) => {
    const app = fastify();
    app.get("/", async () => held.then(() => ""));
    return { app, close: () => app.close().then(() => undefined) };
  },
};

for (const [what, make] of Object.entries(APPS)) {
  test(`${what} that closes itself waits for its requests, and at a stop for the last answer of the server`, async () => {
    let release = (): void => {};
    const { app, close } = make(new Promise((resolve) => (release = resolve)));
    const gateway = await loaded(app);
    const exchange = new RecordedExchange();
    gateway.handle(exchange);
    const closed = close();
    assert.equal(await isOver(closed), false);
    gateway.leave?.("stop");
    release();
    assert.equal((await exchange.done).status, 200);
    assert.equal(await isOver(closed), false);
    await gateway.close?.(0);
    assert.equal(await closed, undefined);
  });

  test(`${what} that nothing is asked of, and nobody stops, can close itself`, async () => {
    const { app, close } = make(Promise.resolve());
    await loaded(app);
    assert.equal(await close(), undefined);
  });
}

test("a server of node:http is closed with its gateway, and one that listens by itself at once", async () => {
  const server = createServer(() => {});
  let count = 0;
  server.on("close", () => (count += 1));
  const gateway = await loaded(server);
  await gateway.close?.(1000);
  await turn();
  assert.equal(count, 1);
  const other = createServer(() => {});
  await loaded(other);
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  assert.equal(await new Promise((resolve) => other.close(resolve)), undefined);
});

test("a reload closes the old app once its requests are answered, or the grace is over", async () => {
  let release = (): void => {};
  const ended: string[] = [];
  const handler = (req: IncomingMessage, res: ServerResponse): void => {
    if (req.url === "/held") release = () => res.end();
  };
  const nest = {
    init: async () => {},
    getHttpAdapter: () => ({ getInstance: () => handler }),
    close: async () => void ended.push("closed"),
  };
  const gateway = await loaded(nest);
  const exchange = new RecordedExchange({ target: "/held" });
  gateway.handle(exchange);
  const closed = gateway.close?.(60_000);
  for (let i = 0; i < 5; i += 1) await turn();
  assert.deepEqual(ended, []);
  release();
  await Promise.all([exchange.done, closed]);
  assert.deepEqual(ended, ["closed"]);
  const stuck = await loaded(nest);
  stuck.handle(new RecordedExchange({ target: "/stuck" }));
  await stuck.close?.(10);
  assert.deepEqual(ended, ["closed", "closed"]);
});

test("an end that fails is in the log, and one that hangs ends with the grace", async () => {
  const nest = { init: async () => {}, getHttpAdapter: () => ({ getInstance: () => () => {} }) };
  const { log, logged } = keepLog();
  const fails = { ...nest, close: () => Promise.reject(new Error("no pool")) };
  await (await loaded(fails, { log })).close?.(1000);
  await logged(/the application failed while it closed: no pool/);
  const hangs = { ...nest, close: () => new Promise(() => {}) };
  await (await loaded(hangs)).close?.(10);
});

test("NestJS's listeners are taken away in a process of the server's own only", async () => {
  for (const ownProcess of [true, false]) {
    const asked: number[] = [];
    const closed: unknown[] = [];
    const nest = {
      init: async () => {},
      getHttpAdapter: () => ({ getInstance: () => () => {} }),
      close: async (signal?: string) => void closed.push(signal),
      unsubscribeFromProcessSignals: () => void asked.push(1),
    };
    const before = process.listenerCount("SIGTERM");
    const gateway = await loaded(nest, { ownProcess });
    assert.deepEqual(
      [asked.length, process.listenerCount("SIGTERM")],
      ownProcess ? [1, before + 1] : [0, before],
    );
    await gateway.close?.(1000);
    assert.deepEqual([closed, process.listenerCount("SIGTERM")], [[undefined], before]);
  }
});
