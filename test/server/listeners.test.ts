// Servers that speak the other protocols, each asked through the gateway of a second server: both halves of each are
// what a user would configure.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { PROTOCOLS } from "../../src/config/protocols.ts";
import { type Exchange, type Gateway, silentLog } from "../../src/exchange/index.ts";
import { createServer } from "../../src/server/create.ts";
import type { Server } from "../../src/server/server.ts";
import { makeFolder } from "../kit/make-folder.ts";

const directory = makeFolder();

const TEXT = { status: 200, reason: "", headers: ["Content-Type", "text/plain"] };

/** Says what it was asked: method, mount, path, and the body. */
const says: Gateway = {
  handle(exchange) {
    if (exchange.request.path.endsWith("/never")) return;
    answer(exchange).catch((error) => exchange.fail(error));
  },
};

async function answer(exchange: Exchange): Promise<void> {
  const { method, target } = exchange.request;
  let body = "";
  for (let piece = await exchange.body.read(); piece; piece = await exchange.body.read())
    body += Buffer.from(piece);
  exchange.respond(TEXT, `${method} ${exchange.mount}|${target} ${body}`);
}

type Parts = Partial<Config> & Pick<Config, "apps">;

/** Starts a server that ends with the test. */
async function started(t: TestContext, config: Parts): Promise<{ server: Server; urls: readonly string[] }> {
  const server = createServer({ listen: ["127.0.0.1:0"], ...config }, { directory, log: silentLog });
  t.after(() => server.stop(0));
  return { server, urls: await server.start() };
}

const OTHERS = PROTOCOLS.filter((protocol) => protocol !== "http");

/** A printed address, as the gateway to it takes it. */
const placeOf = (url: string | undefined): string => `${url}`.replace(/^\w+:\/\//, "");

/** The URL of an HTTP server in front of `behind`, a printed address. */
async function fronted(t: TestContext, protocol: string, behind: string | undefined): Promise<string> {
  const app = { [protocol]: placeOf(behind) } as Config["apps"][string];
  const { urls } = await started(t, { apps: { app }, routes: [{ path: "/front", app: "app" }] });
  return `${urls[0]}/front`;
}

for (const protocol of OTHERS) {
  for (const where of ["127.0.0.1:0", `unix:${protocol}.sock`]) {
    test(`${protocol} at ${where} reaches the same routes, below the mount of the server in front`, async (t) => {
      const routes = [{ app: "says" }, { path: "/below", app: "says" }];
      const { urls } = await started(t, { listen: [`${protocol}://${where}`], apps: { says }, routes });
      assert.match(
        urls[0] ?? "",
        new RegExp(`^${protocol}://(127\\.0\\.0\\.1:\\d+|unix:${directory}/${protocol}\\.sock)$`),
      );
      const front = await fronted(t, protocol, urls[0]);
      const response = await fetch(`${front}/below/x?y=%20`, { method: "POST", body: "hello" });
      assert.equal(await response.text(), "POST /front/below|/front/below/x?y=%20 hello");
      assert.equal(await (await fetch(`${front}/x`)).text(), "GET /front|/front/x ");
    });
  }

  test(`${protocol}: a body over limits.body gets 413`, async (t) => {
    const listen = [`${protocol}://127.0.0.1:0`];
    const { urls } = await started(t, { listen, apps: { says }, limits: { body: 4 } });
    const front = await fronted(t, protocol, urls[0]);
    assert.equal((await fetch(front, { method: "POST", body: "1234" })).status, 200);
    const { status } = await fetch(front, { method: "POST", body: "12345" });
    assert.equal(status, 413);
  });

  test(`${protocol}: its own limits hold, and not those of HTTP`, async (t) => {
    const own = protocol === "fastcgi" ? { params: "1K" } : { variables: "1K" };
    const limits = { headerBytes: 1, target: 1, [protocol]: own };
    const { urls } = await started(t, { listen: [`${protocol}://127.0.0.1:0`], apps: { says }, limits });
    const front = await fronted(t, protocol, urls[0]);
    assert.equal((await fetch(front)).status, 200);
    assert.equal((await fetch(front, { headers: { "X-Long": "x".repeat(1024) } })).status, 431);
  });

  test(`${protocol}: a request that outlasts the grace is cut when the server stops`, async (t) => {
    const { server, urls } = await started(t, { listen: [`${protocol}://127.0.0.1:0`], apps: { says } });
    const front = await fronted(t, protocol, urls[0]);
    const asked = fetch(`${front}/never`);
    assert.equal(await (await fetch(front)).text(), "GET /front|/front ");
    await server.stop(50);
    assert.ok((await asked).status >= 500);
  });

  test(`${protocol}: a Unix socket gets its mode, takes the place of a dead one, and never that of a living one`, async (t) => {
    const path = join(directory, `${protocol}-owned.sock`);
    const listen = [{ address: `${protocol}://unix:${path}`, mode: "620" }];
    await leaveStale(path);
    await started(t, { listen, apps: { says } });
    assert.equal(statSync(path).mode & 0o777, 0o620);
    await assert.rejects(started(t, { listen, apps: { says } }), {
      code: "ERR_SALLYPORT_ADDRESS_UNUSABLE",
      message: `cannot listen at ${protocol}://unix:${path}: this process itself listens there; name the path once, or choose another one`,
    });
    assert.ok(existsSync(path));
  });
}

/** A process that listens at a Unix socket and is killed: its file stays. */
async function leaveStale(path: string): Promise<void> {
  const program = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`;
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "close");
}

test("one server speaks every protocol at once, several times, and one access log has them all", async (t) => {
  const listen = [
    "127.0.0.1:0",
    ...OTHERS.flatMap((protocol) => [`${protocol}://127.0.0.1:0`, `${protocol}://127.0.0.1:0`]),
  ];
  const log = { access: "access.log" };
  const { server, urls } = await started(t, { listen, apps: { says }, log });
  assert.equal(urls.length, 7);
  for (const url of urls) {
    const protocol = url.slice(0, url.indexOf(":"));
    const front = protocol === "http" ? url : await fronted(t, protocol, url);
    assert.equal((await fetch(`${front}?by=${protocol}`)).status, 200);
  }
  await server.stop();
  const lines = readFileSync(join(directory, "access.log"), "utf8");
  assert.deepEqual(
    [...lines.matchAll(/^127\.0\.0\.1 .*\?by=(\w+) HTTP\/1\.1" 200 \d+ .* says -$/gm)].map(([, by]) => by),
    urls.map((url) => url.slice(0, url.indexOf(":"))),
  );
});

test("a stopped server accepts no connection of any protocol", async (t) => {
  const { server, urls } = await started(t, {
    listen: OTHERS.map((name) => `${name}://127.0.0.1:0`),
    apps: { says },
  });
  await server.stop();
  for (const url of urls) {
    const socket = createConnection(Number(new URL(url).port), "127.0.0.1");
    await assert.rejects(once(socket, "connect"), { code: "ECONNREFUSED" });
  }
});
