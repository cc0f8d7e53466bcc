// A reload reads the whole configuration again: what is new is made first, and whatever fails leaves all as it was.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, Server as NetServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Config } from "../../src/config/config.ts";
import { checkConfig } from "../../src/config/errors.ts";
import {
  type Exchange,
  type Gateway,
  type Log,
  SallyportError,
  silentLog,
} from "../../src/exchange/index.ts";
import { type Server, serverOf } from "../../src/server/server.ts";

/** An app that says its name and notes its life. */
class Named implements Gateway {
  readonly life: string[] = [];
  readonly #name: string;
  readonly #fails: boolean;

  constructor(name: string, fails = false) {
    this.#name = name;
    this.#fails = fails;
  }

  handle(exchange: Exchange): void {
    exchange.respond({ status: 200, reason: "", headers: [] }, this.#name);
  }

  async start(): Promise<void> {
    this.life.push("start");
    if (this.#fails) throw new SallyportError("APP_IMPORT", `${this.#name} cannot start`);
  }

  async reload(): Promise<void> {
    this.life.push("reload");
  }

  async close(): Promise<void> {
    this.life.push("close");
  }
}

interface Running {
  readonly server: Server;
  readonly urls: string[];
  /** Reloads with another configuration. */
  become(config: Config | (() => never)): Promise<void>;
}

async function running(t: TestContext, config: Config, log: Log = silentLog): Promise<Running> {
  let next: Config | (() => never) = config;
  const reread = async () => checkConfig(typeof next === "function" ? next() : next);
  const server = serverOf(checkConfig(config), { log, reread });
  t.after(() => server.stop(0));
  const urls = [...(await server.start())];
  const become = (wanted: Config | (() => never)): Promise<void> => {
    next = wanted;
    return server.reload();
  };
  return { server, urls, become };
}

const text = async (url: string | undefined): Promise<string> => (await fetch(url ?? "")).text();
const ANY = ["127.0.0.1:0"];
const SHOW = fileURLToPath(new URL("../apps/cgi/show", import.meta.url));

const connects = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createConnection(Number(new URL(url).port), "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });

test("apps come, go and are replaced; those that stay get a new generation", async (t) => {
  const [kept, gone, fresh] = [new Named("kept"), new Named("gone"), new Named("fresh")];
  const routes = (app: string) => [
    { path: "/", app: "kept" },
    { path: "/x", app },
  ];
  const { urls, become } = await running(t, {
    listen: ANY,
    apps: { kept: { app: kept }, gone: { app: gone } },
    routes: routes("gone"),
  });
  assert.equal(await text(`${urls[0]}/x`), "gone");
  await become({
    listen: ANY,
    apps: { kept: { app: kept }, fresh: { app: fresh } },
    routes: routes("fresh"),
  });
  assert.equal(await text(`${urls[0]}/x`), "fresh");
  assert.equal(await text(urls[0]), "kept");
  assert.deepEqual([kept.life, gone.life, fresh.life], [["start", "reload"], ["start", "close"], ["start"]]);
});

test("an app that cannot start leaves everything as it was, and nothing of the new behind", async (t) => {
  const [kept, good, bad] = [new Named("kept"), new Named("good"), new Named("bad", true)];
  const { urls, become } = await running(t, { listen: ANY, apps: { a: { app: kept } } });
  const apps = { a: { app: good }, b: { app: bad } };
  const routes = [
    { path: "/", app: "a" },
    { path: "/b", app: "b" },
  ];
  await assert.rejects(become({ listen: ANY, apps, routes }), { message: "bad cannot start" });
  assert.equal(await text(urls[0]), "kept");
  assert.deepEqual([kept.life, good.life], [["start"], ["start", "close"]]);
});

test("a configuration that is not valid leaves everything as it was", async (t) => {
  const kept = new Named("kept");
  const { urls, become } = await running(t, { listen: ANY, apps: { a: { app: kept } } });
  const wrong = { listen: ANY, apps: { a: { app: kept } }, grace: "soon" } as unknown as Config;
  await assert.rejects(become(wrong), { code: "ERR_SALLYPORT_CONFIG_INVALID" });
  await assert.rejects(
    become(() => {
      throw new SallyportError("CONFIG_INVALID", "no such file");
    }),
    { message: "no such file" },
  );
  assert.equal(await text(urls[0]), "kept");
  assert.deepEqual(kept.life, ["start"]);
});

test("addresses are added and closed; one that cannot be opened leaves everything as it was", async (t) => {
  const apps = { a: { app: new Named("a") } };
  const folder = mkdtempSync(join(tmpdir(), "sallyport-reload-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "web.sock");
  const { server, urls, become } = await running(t, { listen: ANY, apps });
  await become({ listen: [...ANY, `unix:${path}`], apps });
  assert.deepEqual(server.urls, [urls[0], `unix:${path}`]);
  assert.equal(await text(urls[0]), "a");

  writeFileSync(join(folder, "taken"), "");
  await assert.rejects(become({ listen: [...ANY, `unix:${folder}/taken`], apps }), {
    code: "ERR_SALLYPORT_ADDRESS_UNUSABLE",
  });
  assert.deepEqual(server.urls, [urls[0], `unix:${path}`]);

  await become({ listen: [`unix:${path}`], apps });
  assert.deepEqual(server.urls, [`unix:${path}`]);
  while (await connects(urls[0] as string)) await new Promise((resolve) => setTimeout(resolve, 10));
});

test("limits hold for connections from then on", async (t) => {
  const apps = { a: { app: new Named("a") } };
  const { urls, become } = await running(t, { listen: ANY, apps });
  const post = async (): Promise<number> =>
    (await fetch(urls[0] as string, { method: "POST", body: "12345" })).status;
  assert.equal(await post(), 200);
  await become({ listen: ANY, apps, limits: { body: 4 } });
  // Each connection that is open ends with its next response, and keeps its limits until then.
  const answers: number[] = [];
  while (answers.at(-1) !== 413 && answers.length < 10) answers.push(await post());
  assert.equal(answers.at(-1), 413);
  assert.ok(answers.length <= 4, `${answers.length} connections were open`);
});

test("a larger limit of bodies holds for an app that goes on, which had stored up to the old one", async (t) => {
  const apps = { a: { cgi: SHOW } };
  const { urls, become } = await running(t, { listen: ANY, apps, limits: { body: 50_000 } });
  const post = async (): Promise<number> => {
    // Without a length: the app's gateway has to wait for its end.
    const body = ReadableStream.from([Buffer.alloc(100_000)]);
    const init = { method: "POST", body, duplex: "half", headers: { connection: "close" } };
    return (await fetch(urls[0] as string, init as RequestInit)).status;
  };
  assert.equal(await post(), 413);
  await become({ listen: ANY, apps, limits: { body: 200_000 } });
  assert.equal(await post(), 200);
});

test("a request under way when its app is replaced is answered by it", async (t) => {
  let answer: (() => void) | undefined;
  const slow: Gateway = {
    handle: (exchange) => {
      answer = () => exchange.respond({ status: 200, reason: "", headers: [] }, "slow");
    },
    close: async () => {},
  };
  const { urls, become } = await running(t, { listen: ANY, apps: { a: { app: slow } } });
  const asked = text(urls[0]);
  while (!answer) await new Promise((resolve) => setTimeout(resolve, 5));
  await become({ listen: ANY, apps: { a: { app: new Named("new") } }, limits: { body: 1000 } });
  assert.equal(await text(urls[0]), "new");
  (answer as () => void)();
  assert.equal(await asked, "slow");
});

test("a module is imported again, with what it imports", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-reload-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const write = (word: string): void =>
    writeFileSync(join(folder, "word.mjs"), `export const word = "${word}";`);
  write("one");
  const source = 'import { word } from "./word.mjs"; export default () => new Response(word);';
  writeFileSync(join(folder, "app.mjs"), source);
  const config: Config = { listen: ANY, apps: { a: { module: join(folder, "app.mjs") } } };
  const { urls, become } = await running(t, config);
  assert.equal(await text(urls[0]), "one");
  write("two");
  await become(config);
  assert.equal(await text(urls[0]), "two");
});

test("a stop while an address is being opened leaves no socket behind, and the start rejects", async (t) => {
  const server = serverOf(
    checkConfig({ listen: ["127.0.0.1:0"], apps: { app: { app: new Named("app") } } }),
    { log: silentLog },
  );
  const { listen } = NetServer.prototype;
  let opened: NetServer | undefined;
  let stopped: Promise<void> | undefined;
  t.mock.method(
    NetServer.prototype,
    "listen",
    function (this: NetServer, ...given: Parameters<typeof listen>) {
      opened = this;
      stopped = server.stop(0);
      return listen.apply(this, given);
    },
  );
  await assert.rejects(server.start(), { code: "ERR_SALLYPORT_STOPPING" });
  await stopped;
  assert.equal(opened?.listening, false);
  assert.deepEqual(server.urls, []);
});
