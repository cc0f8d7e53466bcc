// What stands behind another gateway lives as long as anything that leads there, in a server as in a mount.
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { staticFiles } from "../../src/apps/index.ts";
import { type Exchange, type Gateway, Running, SallyportError, silentLog } from "../../src/exchange/index.ts";
import { toFetchHandler } from "../../src/mount/index.ts";
import { authorized, fastcgi } from "../../src/protocols/fastcgi/index.ts";
import { createServer } from "../../src/server/create.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { RawApplication } from "../protocols/fastcgi/raw-application.ts";

const directory = makeFolder();

/** Answers only between its start and its close, and keeps account of its life. */
class Behind implements Gateway {
  readonly life: string[] = [];
  /** Starts that fail before one succeeds. */
  failures: number;
  #up = false;

  constructor(failures = 0) {
    this.failures = failures;
  }

  async start(): Promise<void> {
    this.life.push("start");
    if (this.failures-- > 0) throw new SallyportError("APP_IMPORT", "no module named ml");
    this.#up = true;
  }

  async reload(): Promise<void> {
    this.life.push("reload");
  }

  leave(): void {
    this.life.push("leave");
  }

  async close(): Promise<void> {
    this.life.push("close");
    this.#up = false;
  }

  handle(exchange: Exchange): void {
    if (this.#up) exchange.respond({ status: 200, reason: "", headers: [] }, "the app");
    else exchange.fail(new SallyportError("NOT_READY", "it was not started"));
  }
}

const LIFE = ["start", "reload", "leave", "close"];
const files = (fallthrough: Gateway): Gateway => staticFiles({ directory, fallthrough });
/** Allows everything, and so passes all exchanges on. */
const guarded = (gateway: Gateway): Gateway => authorized({ address: "127.0.0.1:9" }, gateway);
/** One that a user of the library has written. */
const passing = (gateway: Gateway): Gateway => ({
  inner: [gateway],
  handle: (exchange) => gateway.handle(exchange),
});

/** The ways to stand behind another gateway, and whether a request gets through without anybody else's help. */
const WAYS: readonly [name: string, around: (gateway: Gateway) => Gateway, asked: boolean][] = [
  ["staticFiles({ fallthrough })", files, true],
  ["staticFiles({ fallthrough }) behind another", (gateway) => files(files(gateway)), true],
  ["authorized(options, gateway)", guarded, false],
  ["a gateway that names its inner", passing, true],
];

for (const [name, around, asked] of WAYS) {
  test(`behind ${name} an application answers, is reloaded, told to leave and closed: in a server`, async (t) => {
    const behind = new Behind();
    const server = serverOf({ apps: { app: around(behind) } });
    t.after(() => server.stop(0));
    const [url] = await server.start();
    if (asked) assert.equal(await textOf(fetch(`${url}/none`)), "the app");
    await server.reload();
    await server.stop(0);
    assert.deepEqual(behind.life, LIFE);
  });

  test(`behind ${name} an application answers, is reloaded, told to leave and closed: in a mount`, async () => {
    const behind = new Behind();
    const handler = toFetchHandler(around(behind), { log: silentLog });
    if (asked) assert.equal(await textOf(handler(new Request("http://example.org/none"))), "the app");
    await handler.reload();
    await handler.close(0);
    assert.deepEqual(behind.life, LIFE);
  });
}

const serverOf = (config: Parameters<typeof createServer>[0]) =>
  createServer({ listen: ["127.0.0.1:0"], ...config }, { directory, log: silentLog });

const textOf = async (response: Promise<Response>): Promise<string> => (await response).text();

test("what an authorizer is asked about when both are closed is answered by the application behind it", async (t) => {
  const authorizer = await RawApplication.start(t, { values: { FCGI_MAX_CONNS: "1" } });
  const gateway = authorized({ address: authorizer.address }, new Behind());
  const running = new Running();
  await running.start(gateway);
  // The second waits for its turn to be asked about.
  const exchanges = [new RecordedExchange(), new RecordedExchange()];
  for (const exchange of exchanges) gateway.handle(exchange);
  const first = await authorizer.next();
  const closed = running.close(30_000);
  first.answer("", "Status: 200 OK");
  (await authorizer.next()).answer("", "Status: 200 OK");
  for (const exchange of exchanges) assert.equal((await exchange.done).status, 200);
  await closed;
});

test("a gateway that closes does so before those behind it, also where it is behind another itself", async () => {
  const ends: string[] = [];
  const named = (name: string, ...inner: Gateway[]): Gateway => ({
    inner,
    handle: () => {},
    close: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      ends.push(name);
    },
  });
  const last = named("last");
  const running = new Running();
  await running.start(named("first", last, named("middle", last)));
  await running.close(1_000);
  assert.deepEqual(ends, ["first", "middle", "last"]);
});

test("a gateway in three places of a server lives once", async (t) => {
  const behind = new Behind();
  const apps = { one: behind, two: files(behind), three: guarded(files(behind)) };
  const server = serverOf({ apps, routes: [{ app: "one" }, { path: "/two", app: "two" }] });
  t.after(() => server.stop(0));
  const [url] = await server.start();
  for (const path of ["one", "two/none"]) assert.equal(await textOf(fetch(`${url}/${path}`)), "the app");
  await server.reload();
  await server.stop(0);
  assert.deepEqual(behind.life, LIFE);
});

test("a gateway behind two mounts serves the second after the first has closed", async () => {
  const behind = new Behind();
  const [one, two] = [toFetchHandler(files(behind)), toFetchHandler(files(behind))];
  const ask = (handler: typeof one) => textOf(handler(new Request("http://example.org/none")));
  assert.deepEqual([await ask(one), await ask(two)], ["the app", "the app"]);
  await one.close(0);
  assert.equal(await ask(two), "the app");
  await two.close(0);
  assert.deepEqual(behind.life, ["start", "leave", "close"]);
});

test("when the application behind fails to start, the server says so and closes what had started", async () => {
  const [good, bad] = [new Behind(), new Behind(1)];
  const around: Gateway = { ...passing(good), inner: [good, bad] };
  await assert.rejects(serverOf({ apps: { app: around } }).start(), { code: "ERR_SALLYPORT_APP_IMPORT" });
  assert.deepEqual(good.life, ["start", "leave", "close"]);
});

test("a mount whose start failed halfway starts again only what failed", async () => {
  const [good, bad] = [new Behind(), new Behind(1)];
  const handler = toFetchHandler({ ...passing(good), inner: [good, bad] });
  await assert.rejects(handler.start(), { code: "ERR_SALLYPORT_APP_IMPORT" });
  await handler.start();
  assert.deepEqual([good.life, bad.life], [["start"], ["start", "start"]]);
  await handler.close(0);
  assert.deepEqual([good.life.at(-1), bad.life.at(-1)], ["close", "close"]);
});

test("a mounted gateway that needs no start is closed all the same", async () => {
  const closes: number[] = [];
  const gateway: Gateway = { handle: () => {}, close: async (grace) => void closes.push(grace) };
  await toFetchHandler(files(gateway)).close(7);
  assert.deepEqual(closes, [7]);
});

test("a mount that is closed during a start leaves nothing behind running", async () => {
  let finish = (): void => {};
  const slow: Gateway = { handle: () => {}, start: () => new Promise<void>((resolve) => (finish = resolve)) };
  const behind = new Behind();
  const handler = toFetchHandler({ ...passing(behind), inner: [behind, slow] });
  const started = handler.start();
  started.catch(() => {});
  await new Promise((resolve) => setImmediate(resolve));
  const closed = handler.close(0);
  finish();
  await closed;
  await assert.rejects(started, { code: "ERR_SALLYPORT_STOPPING" });
  assert.equal(behind.life.at(-1), "close");
});

describe("reloads", () => {
  /** A gateway whose reloads end when a test says so. */
  function reloadable() {
    const ends: (() => void)[] = [];
    const gateway: Gateway = {
      handle: () => {},
      reload: () => new Promise<void>((resolve) => void ends.push(resolve)),
    };
    return { gateway, ends };
  }

  const turn = () => new Promise((resolve) => setImmediate(resolve));

  async function reloading(t: TestContext) {
    const { gateway, ends } = reloadable();
    const server = serverOf({ apps: { app: gateway } });
    t.after(() => server.stop(0));
    await server.start();
    return { server, ends };
  }

  test("a reload that is wished during a reload follows it; two such wishes are one", async (t) => {
    const { server, ends } = await reloading(t);
    const first = server.reload();
    await turn();
    const others = [server.reload(), server.reload()];
    await turn();
    assert.equal(ends.length, 1, "one at a time");
    ends[0]?.();
    await first;
    await turn();
    assert.equal(ends.length, 2);
    ends[1]?.();
    await Promise.all(others);
    assert.equal(ends.length, 2);
  });
});

test("an authorizer that we start is started once, though the application behind it failed at first", async (t) => {
  const command = [process.execPath, "-e", "setInterval(() => {}, 1000)"];
  const missing = [join(directory, "no-such-program")];
  const gateway = fastcgi({ command: missing, authorizer: { command } });
  const handler = toFetchHandler(gateway, { log: silentLog });
  t.after(() => handler.close(0));
  const counted = () => process.getActiveResourcesInfo().filter((name) => name === "ProcessWrap").length;
  await assert.rejects(handler.start(), { code: "ERR_SALLYPORT_SPAWN_FAILED" });
  const once = counted();
  assert.ok(once > 0, "the authorizer runs");
  await assert.rejects(handler.start(), { code: "ERR_SALLYPORT_SPAWN_FAILED" });
  assert.equal(counted(), once);
});
