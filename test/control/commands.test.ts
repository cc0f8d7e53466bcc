// `sallyport status`, `reload`, `stop`, `restart`, `scale` at real servers: with one server process, and with two.
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { ServerStatus } from "../../src/control/operations.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { gone } from "../kit/processes.ts";
import { type Ended, sallyport } from "../kit/run-command.ts";
import { type Served, serve } from "../kit/serve.ts";

/** What hangs or is slow goes on when there is a file "go". */
const SITE = `import { existsSync } from "node:fs";
const gone = () => existsSync(new URL("go", import.meta.url));
const clock = new Int32Array(new SharedArrayBuffer(4));
let requests = 0;
export default (request, response) => {
  if (request.url === "/hang") { process.stderr.write("hanging\\n"); while (!gone()) Atomics.wait(clock, 0, 0, 20); }
  if (request.url === "/slow") {
    process.stderr.write("slow\\n");
    const timer = setInterval(() => { if (gone()) { clearInterval(timer); response.end("slow"); } }, 20);
    return;
  }
  response.setHeader("connection", "close");
  response.end(String(++requests));
};
`;

interface Site {
  readonly server: Served;
  readonly folder: string;
  readonly socket: string;
  /** Runs a command against it. */
  run(...args: string[]): Promise<Ended>;
  write(config: object): void;
  /** Lets what hangs or is slow go on. */
  go(): void;
}

const config = (count: number): object => ({
  listen: ["127.0.0.1:0"],
  apps: { shop: { module: "site.mjs" }, files: { static: "public" } },
  routes: [{ app: "shop" }, { path: "/files", app: "files" }],
  serverProcesses: count,
  control: "control.sock",
  log: { access: "off" },
});

async function start(t: TestContext, count: number): Promise<Site> {
  const folder = makeFolder(t);
  mkdirSync(join(folder, "public"));
  writeFileSync(join(folder, "site.mjs"), SITE);
  const write = (value: object): void => writeFileSync(join(folder, "site.json"), JSON.stringify(value));
  write(config(count));
  const server = await serve(["--config", "site.json"], { cwd: folder });
  t.after(() => server.stop());
  const socket = join(folder, "control.sock");
  const run = (...args: string[]): Promise<Ended> =>
    sallyport([...args, "--control", "control.sock"], folder);
  return { server, folder, socket, run, write, go: () => writeFileSync(join(folder, "go"), "") };
}

async function statusOf({ run }: Site): Promise<ServerStatus> {
  const { code, stdout, stderr } = await run("status", "--json");
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

for (const count of [1, 2]) {
  const named = `serverProcesses ${count}: `;

  test(`${named}status tells what runs, to people and to programs; the socket is its owner's alone`, async (t) => {
    const site = await start(t, count);
    assert.equal(statSync(site.socket).mode & 0o777, 0o600);
    const status = await statusOf(site);
    assert.equal(status.pid, site.server.pid);
    assert.equal(status.state, "serving");
    assert.deepEqual(status.urls, [site.server.url]);
    assert.equal(status.serverProcesses.length, count);
    for (const each of status.serverProcesses) {
      assert.equal(each.state, "serving");
      assert.deepEqual(Object.keys(each.apps), ["shop", "files"]);
    }
    const { stdout, code } = await site.run("status");
    assert.equal(code, 0);
    assert.match(stdout, /^SERVER PROCESS +STATE +AGE +CPU +CONNECTIONS +IN FLIGHT$/m);
    assert.equal(stdout.match(/^shop +\w+ +Node \S+ +0 /gm)?.length, count);
    assert.ok(!stdout.includes("\u001b"));
  });

  test(`${named}requests under way are counted`, async (t) => {
    const site = await start(t, count);
    const slow = fetch(`${site.server.url}/slow`);
    await site.server.sees(/slow/);
    const { serverProcesses } = await statusOf(site);
    const inFlight = serverProcesses.map((each) => each.inFlight ?? 0);
    assert.equal(
      inFlight.reduce((sum, each) => sum + each),
      1,
    );
    site.go();
    await slow;
  });

  test(`${named}reload waits for what was asked; a wrong configuration is told, and the server goes on`, async (t) => {
    const site = await start(t, count);
    assert.deepEqual(await site.run("reload"), { code: 0, stdout: "reloaded\n", stderr: "" });
    assert.equal((await statusOf(site)).lastReload?.ok, true);

    site.write({ ...config(count), apps: { shop: { module: "nowhere.mjs" } }, routes: [{ app: "shop" }] });
    const wrong = await site.run("reload");
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /site\.json:1: .*nowhere\.mjs.*\[ERR_SALLYPORT_CONFIG_INVALID\]/);
    await site.server.sees(/the reload failed and .* on: .*nowhere\.mjs/);

    site.write(config(count));
    writeFileSync(join(site.folder, "site.mjs"), "throw new Error('no site today');");
    const broken = await site.run("reload");
    assert.equal(broken.code, 1);
    assert.match(broken.stderr, /no site today/);
    const { lastReload, state, serverProcesses } = await statusOf(site);
    assert.deepEqual([lastReload?.ok, state], [false, "serving"]);
    assert.equal(serverProcesses.filter((each) => each.state === "serving").length, count);
    assert.equal((await fetch(site.server.url)).status, 200);
  });

  test(`${named}restart gives one app a new generation; a name that is not there is answered with those that are`, async (t) => {
    const site = await start(t, count);
    writeFileSync(
      join(site.folder, "site.mjs"),
      "export default (request, response) => response.end('new');",
    );
    const { code, stdout } = await site.run("restart", "shop");
    assert.deepEqual([code, stdout], [0, "app shop was restarted\n"]);
    for (let i = 0; i < 8; i++) assert.equal(await (await fetch(site.server.url)).text(), "new");
    const unknown = await site.run("restart", "shopp");
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /there is no app "shopp"; the apps are shop, files; did you mean shop\?/);
    writeFileSync(join(site.folder, "site.mjs"), "throw new Error('no site today');");
    const broken = await site.run("restart", "shop");
    assert.equal(broken.code, 1);
    assert.match(broken.stderr, /no site today/);
    assert.equal(await (await fetch(site.server.url)).text(), "new");
  });

  test(`${named}scale says why an app cannot be scaled`, async (t) => {
    const site = await start(t, count);
    const { code, stderr } = await site.run("scale", "files", "2");
    assert.equal(code, 1);
    assert.match(stderr, /files cannot be scaled: files are served by .*\[ERR_SALLYPORT_NOT_SCALABLE\]/);
    assert.match((await site.run("scale", "fils", "2")).stderr, /no app "fils".*did you mean files\?/);
  });

  test(`${named}stop finishes requests and waits until the server has gone`, async (t) => {
    const site = await start(t, count);
    const slow = fetch(`${site.server.url}/slow`).then((response) => response.text());
    await site.server.sees(/slow/);
    const stopped = site.run("stop");
    await site.server.sees(/waiting for 1 request/);
    site.go();
    assert.deepEqual(await stopped, { code: 0, stdout: "stopped\n", stderr: "" });
    assert.equal(await slow, "slow");
    await gone(site.server.pid);
    assert.equal((await site.server.exited).code, 0);
    assert.ok(!existsSync(site.socket));
    const again = await site.run("stop");
    assert.equal(again.code, 1);
    assert.match(again.stderr, /there is no such file.*\[ERR_SALLYPORT_CONTROL_UNREACHABLE\]/);
  });
}

test("a server process that does not answer is listed as such, and the status comes all the same", async (t) => {
  const site = await start(t, 2);
  const hanging = fetch(`${site.server.url}/hang`).catch(() => {});
  await site.server.sees(/hanging/);
  const { serverProcesses } = await statusOf(site);
  assert.deepEqual(serverProcesses.map(({ state }) => state).sort(), ["not answering", "serving"]);
  site.go();
  await hanging;
});

test("a restart that fails in the second server process says how far it came", async (t) => {
  const site = await start(t, 2);
  const once = `import { existsSync, writeFileSync } from "node:fs";
if (existsSync("tried")) throw new Error("only once");
writeFileSync("tried", "");
export default (request, response) => response.end("new");`;
  writeFileSync(join(site.folder, "site.mjs"), once);
  const { code, stderr } = await site.run("restart", "shop");
  assert.equal(code, 1);
  assert.match(stderr, /only once.*; 1 of 2 server processes have the new generation, the others go on/);
  assert.equal((await fetch(site.server.url)).status, 200);
});

test("a reload cannot change one server process to several: it says that a restart is needed, and changes nothing", async (t) => {
  const site = await start(t, 1);
  site.write(config(3));
  const { code, stderr } = await site.run("reload");
  assert.equal(code, 1);
  assert.match(stderr, /serverProcesses from 1 to 3.*restart the server \[ERR_SALLYPORT_RESTART_NEEDED\]/);
  assert.equal((await statusOf(site)).serverProcesses.length, 1);
  site.write({ ...config(1), control: "other.sock" });
  assert.match((await site.run("reload")).stderr, /cannot change control/);
});

test("without --control the only server of the user is found; several are listed", async (t) => {
  const folder = makeFolder(t);
  mkdirSync(join(folder, "public"));
  const env = { XDG_RUNTIME_DIR: folder };
  const none = await sallyport(["status"], folder, env);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /this user runs no server/);
  const one = await serve(["public"], { cwd: folder, env });
  t.after(() => one.stop());
  assert.equal(statSync(join(folder, "sallyport")).mode & 0o777, 0o700);
  assert.match((await sallyport(["status"], folder, env)).stdout, new RegExp(one.url));
  const other = await serve(["public"], { cwd: folder, env });
  t.after(() => other.stop());
  const several = await sallyport(["status"], folder, env);
  assert.equal(several.code, 1);
  for (const { url, pid } of [one, other])
    assert.match(several.stderr, new RegExp(`--control .*/${pid}\\.sock {2}${url}`));
  process.kill(other.pid, "SIGKILL"); // its file stays
  await other.exited;
  const third = await serve(["public"], { cwd: folder, env });
  t.after(() => third.stop());
  assert.ok(!existsSync(join(folder, "sallyport", `${other.pid}.sock`)));
  await third.stop();
  assert.equal((await sallyport(["status"], folder, env)).code, 0);
});

test("the socket of a server that runs as another user goes at its stop", {
  skip: process.getuid?.() === 0 ? false : "needs root",
}, async (t) => {
  const folder = makeFolder(t);
  mkdirSync(join(folder, "public"));
  chmodSync(folder, 0o755);
  const runtime = makeFolder(t);
  const env = { XDG_RUNTIME_DIR: runtime };
  const server = await serve(["public", "--user", "nobody"], { cwd: folder, env });
  t.after(() => server.stop());
  assert.equal((await sallyport(["status"], folder, env)).code, 0);
  await server.stop();
  assert.deepEqual(readdirSync(join(runtime, "sallyport")), []);
});

test("--control off opens none", async (t) => {
  const folder = makeFolder(t);
  mkdirSync(join(folder, "public"));
  const server = await serve(["public", "--control", "off"], {
    cwd: folder,
    env: { XDG_RUNTIME_DIR: folder },
  });
  t.after(() => server.stop());
  assert.ok(!existsSync(join(folder, "sallyport")));
});

test("a control socket of a server that runs is not taken: the second server says so and ends with 1", async (t) => {
  const site = await start(t, 1);
  const second = await sallyport(["serve", "--config", "site.json"], site.folder);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /control socket .*belongs to a server that is running/);
});

test("wrong command lines end with 2", async () => {
  const wrong: [string[], RegExp][] = [
    [["status", "shop"], /takes no "shop"/],
    [["restart"], /which app\?/],
    [["scale", "shop"], /how many\?/],
    [["scale", "shop", "5:2"], /"5:2" is no number of processes/],
    [["scale", "shop", "0"], /"0" is no number of processes/],
    [["reload", "--json"], /--json is for/],
    [["status", "--port", "8000"], /--port is for/],
    [["statsu"], /did you mean sallyport status\?/],
  ];
  for (const [args, message] of wrong) {
    const { code, stderr } = await sallyport(args);
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, message);
  }
});
