// A reload with several server processes: the whole configuration, or nothing of it.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { askServer } from "../../src/control/client.ts";
import type { ServerStatus } from "../../src/control/operations.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { serverProcessesOf } from "../kit/processes.ts";
import { pythons } from "../kit/pythons.ts";
import { type Ended, sallyport } from "../kit/run-command.ts";
import { type Served, serve } from "../kit/serve.ts";
import { statusAt } from "../kit/status-at.ts";
import { until } from "../kit/until.ts";

const SITE = `export default (request, response) => {
  request.resume().on("end", () => response.end(String(process.pid)));
};
`;

interface Cluster {
  readonly server: Served;
  readonly folder: string;
  run(...args: string[]): Promise<Ended>;
  write(change?: object): void;
  status(): Promise<ServerStatus>;
}

async function start(t: TestContext, given: object = {}): Promise<Cluster> {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "site.mjs"), SITE);
  const base = {
    listen: ["127.0.0.1:0"],
    apps: { site: { module: "site.mjs" } },
    serverProcesses: 2,
    control: "control.sock",
    log: { access: "off" },
    ...given,
  };
  const write = (change: object = {}): void =>
    writeFileSync(join(folder, "site.json"), JSON.stringify({ ...base, ...change }));
  write();
  const server = await serve(["--config", "site.json"], { cwd: folder });
  t.after(() => server.stop());
  const run = (...args: string[]): Promise<Ended> =>
    sallyport([...args, "--control", "control.sock"], folder);
  const status = (): Promise<ServerStatus> => statusAt(join(folder, "control.sock"));
  return { server, folder, run, write, status };
}

/** One POST with a body; rejects unless it is answered with 200. */
const post = (url: string, agent: Agent): Promise<void> =>
  new Promise((resolve, reject) => {
    const sending = request(url, { agent, method: "POST" }, (response) => {
      response.resume().on("error", reject);
      response.on("end", () => (response.statusCode === 200 ? resolve() : reject(response.statusCode)));
    });
    sending.on("error", reject);
    sending.end("x".repeat(1_000));
  });

const CLIENTS = 8;

/** Kept connections that post one request after the other; ended, it tells how many were answered, and why others were not. */
function load(url: string): { end(): Promise<{ answered: number; failed: unknown[] }> } {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const failed: unknown[] = [];
  let answered = 0;
  let over = false;
  const client = async (): Promise<void> => {
    while (!over)
      await post(url, agent).then(
        () => answered++,
        (error) => failed.push(error),
      );
  };
  const clients = Array.from({ length: CLIENTS }, client);
  const end = async () => {
    over = true;
    await Promise.all(clients);
    agent.destroy();
    return { answered, failed };
  };
  return { end };
}

const accepts = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const { port, hostname } = new URL(url);
    const socket = connect(Number(port), hostname, () => resolve(true));
    socket.on("connect", () => socket.destroy()).on("error", () => resolve(false));
  });

test("the number of server processes and the addresses change under load, and no request fails", async (t) => {
  const { server, run, write, status } = await start(t);
  const loaded = load(server.url);
  const both = { listen: ["127.0.0.1:0", "localhost:0"] };
  const steps: [object, number, number][] = [
    [{ ...both, serverProcesses: 3 }, 3, 2],
    [{ serverProcesses: 1 }, 1, 1],
    [both, 2, 2],
  ];
  for (const [change, processes, addresses] of steps) {
    const { urls: before } = await status();
    write(change);
    const { code, stderr } = await run("reload");
    assert.equal(code, 0, stderr);
    const { urls, serverProcesses, state } = await status();
    assert.equal(state, "serving");
    assert.equal(serverProcesses.filter((each) => each.state === "serving").length, processes);
    assert.equal(urls.length, addresses);
    for (const url of urls) assert.ok(await accepts(url));
    for (const url of before) if (!urls.includes(url)) await until(async () => !(await accepts(url)));
    assert.equal(urls[0], server.url);
  }
  const { answered, failed } = await loaded.end();
  assert.deepEqual(failed, []);
  assert.ok(answered > 0);
  await server.sees(/listening on http:\S+, too/);
  await server.sees(/no longer listening on http:/);
});

test("settings of the supervisor's own change, too: the log's format", async (t) => {
  const { server, run, write } = await start(t);
  write({ log: { access: "off", format: "json" } });
  assert.equal((await run("reload")).code, 0);
  await server.sees(/^\{.*"message":"all server processes were replaced"/m);
});

test("a new address is closed again, and all stays, when a successor does not start", async (t) => {
  const { server, folder, run, write, status } = await start(t);
  const before = await status();
  writeFileSync(join(folder, "broken.mjs"), "throw new Error('no site today');");
  const change = { listen: ["127.0.0.1:0", "unix:new.sock"], serverProcesses: 3 };
  write({ ...change, apps: { site: { module: "broken.mjs" } } });
  const { code, stderr } = await run("reload");
  assert.equal(code, 1);
  assert.match(stderr, /no site today/);
  const after = await status();
  assert.deepEqual(after.urls, before.urls);
  const pids = ({ serverProcesses }: ServerStatus) => serverProcesses.map(({ pid }) => pid);
  await until(async () => pids(await status()).join() === pids(before).join());
  assert.equal((await fetch(server.url)).status, 200);
});

test("an address that cannot be bound is told, and all stays", async (t) => {
  const { server, run, write, status } = await start(t);
  const taken = await start(t);
  const before = await status();
  write({ listen: ["127.0.0.1:0", new URL(taken.server.url).host] });
  const { code, stderr } = await run("reload");
  assert.equal(code, 1);
  assert.match(stderr, /another program is listening there.*\[ERR_SALLYPORT_ADDRESS_UNUSABLE\]/);
  assert.deepEqual((await status()).urls, before.urls);
  assert.equal((await fetch(server.url)).status, 200);
});

test("a server process that ends after a failed reload is started again with what is served", async (t) => {
  const { server, run, write, status } = await start(t);
  write({ apps: {} });
  assert.equal((await run("reload")).code, 1);
  const [victim] = (await status()).serverProcesses;
  process.kill(victim?.pid as number, "SIGKILL");
  await server.sees(/was killed by SIGKILL/);
  await until(async () => {
    const { serverProcesses } = await status();
    const serving = serverProcesses.filter(({ state }) => state === "serving");
    return serving.length === 2 && serving.every(({ pid }) => pid !== victim?.pid);
  });
});

/** Answers with its version; its import waits until there is a file "go". */
const LATE_SITE = `import { existsSync } from "node:fs";
process.stderr.write("importing late\\n");
while (!existsSync(new URL("go", import.meta.url))) await new Promise((resolve) => setTimeout(resolve, 20));
export default (request, response) => response.end("late");
`;

test("server processes that took the place of old ones during a reload leave with them", async (t) => {
  const { server, folder, run, write, status } = await start(t);
  const old = (await status()).serverProcesses.map(({ pid }) => pid as number);
  writeFileSync(join(folder, "late.mjs"), LATE_SITE);
  write({ apps: { site: { module: "late.mjs" } } });
  const reloading = run("reload");
  await server.sees(/importing late/);
  for (const pid of old) process.kill(pid, "SIGKILL");
  await until(async () => {
    const { serverProcesses } = await status();
    return serverProcesses.some(({ pid, state }) => state === "serving" && !old.includes(pid as number));
  });
  writeFileSync(join(folder, "go"), "");
  const { code, stderr } = await reloading;
  assert.equal(code, 0, stderr);
  await until(async () => {
    const states = (await status()).serverProcesses.map(({ state }) => state);
    return states.join() === "serving,serving";
  });
  const answer = async (): Promise<string> =>
    (await fetch(server.url, { headers: { connection: "close" } })).text();
  assert.deepEqual(new Set(await Promise.all(Array.from({ length: 20 }, answer))), new Set(["late"]));
});

/** Says each import, which waits while there is a file "hold". */
const EMBEDDED = `import os, time
os.write(2, b"importing\\n")
while os.path.exists(os.path.join(os.path.dirname(os.path.abspath(__file__)), "hold")): time.sleep(0.02)
def app(environ, start_response):
    start_response("204 No Content", [])
    return []
`;

test("a restart of an embedded app that waits for its turn starts nothing after a stop", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "app.py"), EMBEDDED);
  const app = { wsgi: "app:app", mode: "embedded", python: pythons()[0]?.path };
  const config = { listen: ["127.0.0.1:0"], control: "control.sock", log: { access: "off" }, apps: { app } };
  writeFileSync(join(folder, "site.json"), JSON.stringify(config));
  const server = await serve(["--config", "site.json"], { cwd: folder });
  t.after(() => server.stop());
  writeFileSync(join(folder, "hold"), "");
  const restart = async (): Promise<string> => {
    const asked = askServer(join(folder, "control.sock"), { method: "POST", path: "/apps/app/restart" });
    return asked.then(
      () => "restarted",
      ({ message }: Error) => message,
    );
  };
  const restarts = [restart(), restart()];
  await server.sees(/importing\n[\s\S]*importing\n/);
  await statusAt(join(folder, "control.sock")); // both have arrived
  const stopped = server.stop();
  await until(async () => (await statusAt(join(folder, "control.sock"))).state === "stopping");
  rmSync(join(folder, "hold"));
  assert.deepEqual(await stopped, { code: 0, signal: null });
  assert.equal(server.stderr.match(/importing/g)?.length, 2);
  for (const said of await Promise.all(restarts)) assert.match(said, /stop/);
});

test("a refused reload says that a process which is started later reads the code of the configuration again", async (t) => {
  const folder = makeFolder(t);
  const file = join(folder, "site.config.mjs");
  const write = (text: string, more = ""): void =>
    writeFileSync(
      file,
      `const app = (request, response) => response.end(${JSON.stringify(text)} + process.pid);
export default { listen: ["127.0.0.1:0"], serverProcesses: 2, apps: { site: { app } }${more} };`,
    );
  write("old ");
  const server = await serve(["--config", file], { cwd: folder });
  t.after(() => server.stop());
  const ask = async (): Promise<string> =>
    (await fetch(server.url, { headers: { connection: "close" } })).text();
  // Both have read it.
  const answers = new Set<string>();
  await until(async () => answers.add(await ask()).size === 2);
  write("refused ", ", nonsense: 1");
  process.kill(server.pid, "SIGHUP");
  await server.sees(
    /the old server processes go on, but one .* will read the configuration that was refused/,
  );
  write("put back ");
  const [killed] = serverProcessesOf(server.pid);
  process.kill(killed as number, "SIGKILL");
  await until(async () => (await ask().catch(() => "")).startsWith("put back"));
});
