// `sallyport scale` and `sallyport restart` at real applications: WSGI, ASGI, spawned FastCGI and embedded ones, with one
// server process and with two.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ServerStatus } from "../../src/control/operations.ts";
import type { GatewayStatus, ProcessBounds } from "../../src/exchange/index.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { pythons } from "../kit/pythons.ts";
import { type Ended, sallyport } from "../kit/run-command.ts";
import { type Served, serve, serveBy } from "../kit/serve.ts";
import { statusAt } from "../kit/status-at.ts";
import { until } from "../kit/until.ts";

const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));
const PYTHON = pythons()[0]?.path as string;

const WSGI = `import os
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
`;
const ASGI = `import os
async def app(scope, receive, send):
    if scope["type"] != "http": raise RuntimeError("no lifespan")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
`;
/** Until there is a file "go". */
const HANG = `import { existsSync } from "node:fs";
export default (request, response) => {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  while (!existsSync(new URL("go", import.meta.url))) Atomics.wait(clock, 0, 0, 20);
  response.end("ok");
};
`;

const APPS = {
  wsgi: { wsgi: "wsgi_app:app", python: PYTHON },
  asgi: { asgi: "asgi_app:app", python: PYTHON },
  php: { php: ".", fastcgi: { command: ["php-cgi"], processes: 1 } },
};
const ROUTES = [{ path: "/asgi", app: "asgi" }, { path: "/php", app: "php" }, { app: "wsgi" }];

interface Site {
  readonly server: Served;
  readonly folder: string;
  run(...args: string[]): Promise<Ended>;
  /** Of each server process. */
  of(app: string): Promise<GatewayStatus[]>;
  status(): Promise<ServerStatus>;
}

async function start(t: TestContext, serverProcesses: number, more: object = {}): Promise<Site> {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "wsgi_app.py"), WSGI);
  writeFileSync(join(folder, "asgi_app.py"), ASGI);
  writeFileSync(join(folder, "hang.mjs"), HANG);
  writeFileSync(join(folder, "index.php"), "<?php echo getmypid();");
  const config = {
    listen: ["127.0.0.1:0"],
    apps: APPS,
    routes: ROUTES,
    serverProcesses,
    control: "c.sock",
    log: { access: "off" },
    ...more,
  };
  writeFileSync(join(folder, "site.json"), JSON.stringify(config));
  const server = await serve(["--config", "site.json"], { cwd: folder });
  t.after(() => server.stop());
  const run = (...args: string[]): Promise<Ended> => sallyport([...args, "--control", "c.sock"], folder);
  const status = (): Promise<ServerStatus> => statusAt(join(folder, "c.sock"));
  const of = async (app: string): Promise<GatewayStatus[]> =>
    (await status()).serverProcesses.flatMap(({ apps }) => apps[app] ?? []);
  return { server, folder, run, of, status };
}

const boundsOf = async (site: Site, app: string): Promise<(ProcessBounds | undefined)[]> =>
  (await site.of(app)).map(({ bounds }) => bounds);
const pidsOf = (statuses: readonly GatewayStatus[]): (number | undefined)[] =>
  statuses.flatMap(({ processes }) => processes.map(({ pid }) => pid));

for (const count of [1, 2]) {
  test(`serverProcesses ${count}: scale and restart of WSGI, ASGI and spawned FastCGI; a reload brings the configured number back`, async (t) => {
    const site = await start(t, count);
    for (const app of Object.keys(APPS)) {
      const { code, stdout, stderr } = await site.run("scale", app, "2");
      assert.equal(code, 0, stderr);
      assert.equal(stdout, `app ${app} has 2 processes now, in each server process\n`);
      await until(async () => pidsOf(await site.of(app)).length === 2 * count);
    }
    assert.equal((await site.run("scale", "wsgi", "1:3")).code, 0);
    assert.deepEqual(await boundsOf(site, "wsgi"), Array(count).fill({ min: 1, max: 3 }));

    for (const [app, path] of [
      ["wsgi", "/"],
      ["asgi", "/asgi"],
      ["php", "/php/"],
    ] as const) {
      const before = pidsOf(await site.of(app));
      const { code, stderr } = await site.run("restart", app);
      assert.equal(code, 0, stderr);
      await until(async () => pidsOf(await site.of(app)).every((pid) => !before.includes(pid)));
      const answer = await fetch(site.server.url + path);
      assert.equal(answer.status, 200);
      assert.ok(pidsOf(await site.of(app)).includes(Number(await answer.text())));
    }
    assert.deepEqual(await boundsOf(site, "wsgi"), Array(count).fill({ min: 1, max: 3 }));

    assert.equal((await site.run("reload")).code, 0);
    await until(async () => (await site.status()).serverProcesses.length === count);
    for (const app of Object.keys(APPS))
      assert.deepEqual(await boundsOf(site, app), Array(count).fill({ min: 1, max: 1 }));
  });
}

const ONE = { apps: { wsgi: APPS.wsgi }, routes: [{ app: "wsgi" }] };

test("a server process that is started again later has the bounds of the others", async (t) => {
  const site = await start(t, 2, ONE);
  assert.equal((await site.run("scale", "wsgi", "1:3")).code, 0);
  const { serverProcesses } = await site.status();
  process.kill(serverProcesses[0]?.pid as number, "SIGKILL");
  await until(async () => {
    const each = (await site.status()).serverProcesses;
    const isNew = each.some(({ pid }) => !serverProcesses.some((before) => before.pid === pid));
    return isNew && each.length === 2 && each.every(({ apps }) => apps.wsgi?.bounds?.max === 3);
  });
});

/** Its import waits while there is a file "hold-" and its version. */
const versioned = (version: string): string => `import os, sys, time
here = os.path.dirname(os.path.abspath(__file__))
print("importing ${version}", file=sys.stderr, flush=True)
while os.path.exists(os.path.join(here, "hold-${version}")): time.sleep(0.02)
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"${version}"]
`;

test("a restart reaches a server process that has been starting since before", async (t) => {
  const site = await start(t, 2, ONE);
  const write = (name: string, text = ""): void => writeFileSync(join(site.folder, name), text);
  write("hold-one");
  write("wsgi_app.py", versioned("one"));
  const [victim] = (await site.status()).serverProcesses;
  process.kill(victim?.pid as number, "SIGKILL");
  await site.server.sees(/importing one/);
  write("wsgi_app.py", versioned("two"));
  const restarting = site.run("restart", "wsgi");
  await site.server.sees(/importing two/);
  rmSync(join(site.folder, "hold-one"));
  const { code, stderr } = await restarting;
  assert.equal(code, 0, stderr);
  await until(async () => (await site.status()).serverProcesses.every(({ state }) => state === "serving"));
  const answer = async (): Promise<string> =>
    (await fetch(site.server.url, { headers: { connection: "close" } })).text();
  assert.deepEqual(new Set(await Promise.all(Array.from({ length: 20 }, answer))), new Set(["two"]));
});

test("where one server process does not scale, none does", async (t) => {
  const site = await start(t, 2, {
    apps: { wsgi: APPS.wsgi, hang: { module: "hang.mjs" } },
    routes: [{ path: "/hang", app: "hang" }, { app: "wsgi" }],
  });
  const hanging = fetch(`${site.server.url}/hang`).catch(() => {});
  await until(async () =>
    (await site.status()).serverProcesses.some(({ state }) => state === "not answering"),
  );
  const { code, stderr } = await site.run("scale", "wsgi", "3");
  assert.equal(code, 1);
  assert.match(stderr, /server process \d+ did not answer within 10 s/);
  writeFileSync(join(site.folder, "go"), "");
  await hanging;
  await until(async () => (await boundsOf(site, "wsgi")).length === 2);
  const one = { min: 1, max: 1 };
  await until(
    async () => String(await boundsOf(site, "wsgi").then((all) => all.map((each) => each?.max))) === "1,1",
  );
  assert.deepEqual(await boundsOf(site, "wsgi"), [one, one]);
});

test("restart of an embedded app replaces the server processes; no keep-alive request fails", async (t) => {
  const apps = { shop: { wsgi: "wsgi_app:app", python: PYTHON, mode: "embedded" } };
  const site = await start(t, 2, { apps, routes: [{ app: "shop" }] });
  const before = (await site.status()).serverProcesses.map(({ pid }) => pid);
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  t.after(() => agent.destroy());
  let restarting = true;
  const seen = new Set<string>();
  const client = async (): Promise<void> => {
    while (restarting) seen.add(await ask(site.server.url, agent));
  };
  const clients = Promise.all(Array.from({ length: 4 }, client));
  const { code, stderr } = await site.run("restart", "shop");
  restarting = false;
  await clients;
  assert.equal(code, 0, stderr);
  const after = (await site.status()).serverProcesses.filter(({ state }) => state === "serving");
  assert.ok(after.length === 2 && after.every(({ pid }) => !before.includes(pid)));
  assert.ok(before.some((pid) => seen.has(String(pid))));
});

test("sallyport dev is asked as a server is, and writes an access log", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "wsgi_app.py"), WSGI);
  const args = ["wsgi_app:app", "--python", PYTHON, "--port", "0", "--control", "c.sock"];
  const access = ["--access-log", "-", "--access-format", "$request_uri $status $interface"];
  const server = await serveBy([process.execPath, BIN, "dev", ...args, ...access], { cwd: folder });
  t.after(() => server.stop());
  const run = (...words: string[]): Promise<Ended> => sallyport([...words, "--control", "c.sock"], folder);
  const pids = async (): Promise<(number | undefined)[]> => {
    const { serverProcesses } = await statusAt(join(folder, "c.sock"));
    return pidsOf(serverProcesses.flatMap(({ apps }) => Object.values(apps)));
  };
  const [first] = await pids();
  assert.equal(await (await fetch(`${server.url}/a`)).text(), String(first));
  assert.equal((await run("scale", "app", "2")).code, 0);
  await until(async () => (await pids()).length === 2);
  assert.equal((await run("restart", "app")).code, 0);
  await until(async () => !(await pids()).includes(first));
  assert.equal((await fetch(server.url)).status, 200);
  await server.stop();
  assert.equal(server.stdout, "/a 200 WSGI\n/ 200 WSGI\n");
});

const ask = (url: string, agent: Agent): Promise<string> =>
  new Promise((resolve, reject) => {
    const sending = request(url, { agent }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("error", reject);
      response.on("end", () => (response.statusCode === 200 ? resolve(text) : reject(new Error(text))));
    });
    sending.on("error", reject);
    sending.end();
  });
