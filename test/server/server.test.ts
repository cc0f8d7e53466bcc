import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, readlinkSync, renameSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { type Exchange, type Gateway, SallyportError, silentLog } from "../../src/exchange/index.ts";
import { createServer } from "../../src/server/create.ts";
import type { Server } from "../../src/server/server.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { until } from "../kit/until.ts";

const directory = makeFolder();

const TEXT = { status: 200, reason: "", headers: ["Content-Type", "text/plain"] };

/** Answers with its name and the mount, and keeps account of its life. */
class Named implements Gateway {
  readonly life: string[] = [];
  readonly held: Exchange[] = [];
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  async start(): Promise<void> {
    this.life.push("start");
  }

  async reload(): Promise<void> {
    this.life.push("reload");
  }

  async close(): Promise<void> {
    this.life.push("close");
  }

  handle(exchange: Exchange): void {
    if (exchange.request.path.endsWith("/hold")) this.held.push(exchange);
    else if (exchange.request.path.endsWith("/throw")) throw new TypeError("a gateway's defect");
    else exchange.respond(TEXT, `${this.#name} at ${exchange.mount || "/"}`);
  }
}

const serverOf = (config: Partial<Config> & Pick<Config, "apps">): Server =>
  createServer({ listen: ["127.0.0.1:0"], ...config }, { directory, log: silentLog });

const portOf = (url: string | undefined): number => Number(new URL(url ?? "").port);

/** A connection on which a request for `path` was sent. */
function asking(url: string | undefined, path: string): Socket {
  const socket = createConnection({ port: portOf(url), host: "127.0.0.1" });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return socket;
}

test("apps start before the server listens, and requests reach them by route with their mount", async () => {
  const [one, two] = [new Named("one"), new Named("two")];
  const routes = [{ app: "one" }, { path: "/two", app: "two" }];
  const server = serverOf({ apps: { one, two }, routes });
  const [url] = await server.start();
  assert.deepEqual([one.life, two.life], [["start"], ["start"]]);
  assert.equal(await (await fetch(`${url}/x`)).text(), "one at /");
  assert.equal(await (await fetch(`${url}/two/x`)).text(), "two at /two");
  await server.stop();
  assert.deepEqual(
    [one.life, two.life],
    [
      ["start", "close"],
      ["start", "close"],
    ],
  );
});

test("one configuration may listen at several addresses", async () => {
  const socket = join(directory, "two.sock");
  const server = serverOf({ listen: ["127.0.0.1:0", `unix:${socket}`], apps: { one: new Named("one") } });
  const urls = await server.start();
  assert.deepEqual(urls.slice(1), [`unix:${socket}`]);
  assert.ok(existsSync(socket));
  await server.stop();
  assert.ok(!existsSync(socket));
});

test("a request that no route takes gets 404 with its code", async () => {
  const server = serverOf({ apps: { one: new Named("one") }, routes: [{ path: "/one", app: "one" }] });
  const [url] = await server.start();
  const response = await fetch(`${url}/other`);
  assert.equal(response.status, 404);
  assert.match(await response.text(), /ERR_SALLYPORT_NOT_FOUND/);
  await server.stop();
});

test("a gateway that throws costs one request a 500, and no stack reaches the client", async (t) => {
  // The defect is meant here; the check of the contract would end the process for it.
  const { SALLYPORT_LINT } = process.env;
  delete process.env.SALLYPORT_LINT;
  t.after(() => SALLYPORT_LINT && Object.assign(process.env, { SALLYPORT_LINT }));
  const server = serverOf({ apps: { one: new Named("one") } });
  const [url] = await server.start();
  const response = await fetch(`${url}/throw`);
  assert.equal(response.status, 500);
  assert.doesNotMatch(await response.text(), /defect|at /);
  assert.equal((await fetch(`${url}/x`)).status, 200);
  await server.stop();
});

test("an app that cannot start makes the start fail, and those that did start are closed", async () => {
  const good = new Named("good");
  const bad = new Named("bad");
  bad.start = () => Promise.reject(new SallyportError("APP_IMPORT", "no module", { detail: "Traceback" }));
  const server = serverOf({ apps: { good, bad }, routes: [{ app: "good" }] });
  await assert.rejects(server.start(), { code: "ERR_SALLYPORT_APP_IMPORT", detail: "Traceback" });
  assert.deepEqual(good.life, ["start", "close"]);
});

test("an address that is taken makes the start fail, and the apps are closed", async () => {
  const first = serverOf({ apps: { one: new Named("one") } });
  const [url] = await first.start();
  const app = new Named("two");
  const second = serverOf({ listen: [`127.0.0.1:${portOf(url)}`], apps: { app } });
  await assert.rejects(second.start(), { code: "ERR_SALLYPORT_ADDRESS_UNUSABLE" });
  assert.deepEqual(app.life, ["start", "close"]);
  await first.stop();
});

test("L3: stopping refuses new connections, closes idle ones, and lets the request under way finish before the apps end", async () => {
  const app = new Named("one");
  const server = serverOf({ apps: { app } });
  const [url] = await server.start();
  const idle = asking(url, "/x");
  await once(idle, "data");
  const busy = asking(url, "/hold");
  while (app.held.length === 0) await new Promise(setImmediate);
  const stopped = server.stop();
  await once(idle.resume(), "close");
  await assert.rejects(once(asking(url, "/x"), "connect"), { code: "ECONNREFUSED" });
  assert.deepEqual(app.life, ["start"]);
  app.held[0]?.respond(TEXT, "at last");
  let text = "";
  for await (const chunk of busy) text += chunk;
  assert.match(text, /at last$/);
  await stopped;
  assert.deepEqual(app.life, ["start", "close"]);
});

test("L3: a request that outlasts the grace is cut", async () => {
  const app = new Named("one");
  const server = serverOf({ apps: { app }, grace: "50ms" });
  const [url] = await server.start();
  const busy = asking(url, "/hold");
  const closed = once(busy.on("error", () => {}).resume(), "close");
  while (app.held.length === 0) await new Promise(setImmediate);
  await server.stop();
  await closed;
  assert.equal(app.held[0]?.closed, true);
});

test("stopping twice is stopping once", async () => {
  const app = new Named("one");
  const server = serverOf({ apps: { app } });
  await server.start();
  await Promise.all([server.stop(), server.stop()]);
  assert.deepEqual(app.life, ["start", "close"]);
});

test("a server that is stopped while its apps start never listens", async () => {
  const app = new Named("one");
  const server = serverOf({ apps: { app } });
  const started = server.start();
  await server.stop();
  await assert.rejects(started, { code: "ERR_SALLYPORT_STOPPING" });
});

test("a server that is stopped while it opens its access log closes that", async (t) => {
  const access = join(makeFolder(t), "access.log");
  const server = serverOf({ apps: { app: new Named("one") }, log: { access } });
  const started = server.start();
  await server.stop();
  await assert.rejects(started, { code: "ERR_SALLYPORT_STOPPING" });
  await until(() => !openFiles().includes(access));
});

const openFiles = (): string[] => readdirSync("/proc/self/fd").map((fd) => readlinkOf(`/proc/self/fd/${fd}`));

/** "" for what is closed by now. */
function readlinkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

test("a stop that breaks a reload off says so, and does not speak of a start", async () => {
  const app = new Named("one");
  const server = serverOf({ apps: { app } });
  let stopped: Promise<void> | undefined;
  app.reload = async () => {
    stopped = server.stop(0);
  };
  await server.start();
  await assert.rejects(server.reload(), {
    code: "ERR_SALLYPORT_STOPPING",
    message: "the server was stopped before the change took effect",
  });
  await stopped;
});

test("reload reaches the apps that can; the failure of one is reported and does not hold up the others", async () => {
  const [one, two] = [new Named("one"), new Named("two")];
  one.reload = () => Promise.reject(new SallyportError("APP_IMPORT", "broken"));
  const still: Gateway = { handle: () => {} };
  const server = serverOf({ apps: { one, two, still }, routes: [{ app: "one" }] });
  await server.start();
  await assert.rejects(server.reload(), { code: "ERR_SALLYPORT_APP_IMPORT" });
  assert.deepEqual(two.life, ["start", "reload"]);
  await server.stop();
});

test("the access log names request, status and app, and goes on in a new file after a rotation", async () => {
  const file = join(directory, "logs", "access.log");
  const log = { access: "logs/access.log" };
  const server = serverOf({ apps: { shop: new Named("shop") }, log });
  const [url] = await server.start();
  await (await fetch(`${url}/first`)).text();
  while (!existsSync(file) || readFileSync(file, "utf8") === "") await new Promise(setImmediate);
  renameSync(file, `${file}.1`);
  server.reopenLogs();
  while (!existsSync(file)) await new Promise(setImmediate);
  await (await fetch(`${url}/second`)).text();
  await server.stop();
  assert.match(
    readFileSync(`${file}.1`, "utf8"),
    /^127\.0\.0\.1 - - \[.*\] "GET \/first HTTP\/1\.1" 200 9 .* shop -\n$/,
  );
  assert.match(readFileSync(file, "utf8"), /^127\.0\.0\.1 .* "GET \/second HTTP\/1\.1" 200 9 .* shop -\n$/);
});

test("an access log that cannot be written makes the start fail with its name", async () => {
  const server = serverOf({ apps: { shop: new Named("shop") }, log: { access: "/dev/null/access.log" } });
  await assert.rejects(server.start(), /the access log \/dev\/null\/access\.log cannot be written/);
});

test("when several apps cannot start, and when several cannot be reloaded, each is reported by its name", async () => {
  const failing = (name: string): Gateway => {
    const fail = async () => {
      throw new SallyportError("APP_IMPORT", `no module ${name}`, { detail: `Traceback of ${name}` });
    };
    return { handle: () => {}, start: fail, reload: fail };
  };
  const apps = { one: failing("a"), two: failing("b"), three: new Named("three") };
  const routes = [{ app: "one" }];
  const detail =
    "one: no module a [ERR_SALLYPORT_APP_IMPORT]\nTraceback of a\ntwo: no module b [ERR_SALLYPORT_APP_IMPORT]\nTraceback of b";
  await assert.rejects(serverOf({ apps, routes }).start(), {
    code: "ERR_SALLYPORT_APP_IMPORT",
    message: "2 apps could not be started: one, two",
    detail,
  });
  for (const app of [apps.one, apps.two]) delete app.start;
  const server = serverOf({ apps, routes });
  await server.start();
  await assert.rejects(server.reload(), { message: "2 apps could not be reloaded: one, two", detail });
  await server.stop(0);
});
