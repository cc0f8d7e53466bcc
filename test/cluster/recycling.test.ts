// Server processes that are replaced, or ended, for the sake of their embedded apps.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { ServerStatus } from "../../src/control/operations.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { isAlive, serverProcessesOf } from "../kit/processes.ts";
import { pythons } from "../kit/pythons.ts";
import { type Ended, sallyport } from "../kit/run-command.ts";
import { type Served, serve } from "../kit/serve.ts";
import { statusAt } from "../kit/status-at.ts";
import { until } from "../kit/until.ts";

const PYTHON = pythons()[0]?.path as string;
const LINUX = {
  skip: process.platform === "linux" ? false : "the memory of a process is read on Linux only",
};

/**
 * Answers with the process's id. Its import takes long while there is a file "slow", and fails while there is one called "broken".
 * Where there is one called "once", it is the last that does not take long.
 */
const APP = `import os, time
here = os.path.dirname(os.path.abspath(__file__))
def wanted(name): return os.path.exists(os.path.join(here, name))
if wanted("broken"): raise RuntimeError("broken meanwhile")
while wanted("slow"): time.sleep(0.05)
if wanted("once"): os.rename(os.path.join(here, "once"), os.path.join(here, "slow"))
kept = []

def app(environ, start_response):
    path = environ["PATH_INFO"]
    environ["wsgi.input"].read()
    if path == "/leak": kept.append(bytearray(os.urandom(4096) * 2560))
    if path == "/jump": kept.append(bytearray(b"x" * (600 << 20))); time.sleep(60)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
`;

interface Site {
  readonly server: Served;
  run(...args: string[]): Promise<Ended>;
  status(): Promise<ServerStatus>;
  /** Makes the file; `no` removes it. */
  want(name: string): void;
  no(name: string): void;
  /** As text, with a connection of its own, so that each server process is asked now and then. */
  ask(target?: string): Promise<string>;
}

const embedded = { wsgi: "app:app", mode: "embedded", python: PYTHON } as const;

async function start(t: TestContext, apps: object, more: object = {}): Promise<Site> {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "app.py"), APP);
  const config = {
    listen: ["127.0.0.1:0"],
    serverProcesses: 2,
    control: "control.sock",
    log: { access: "off" },
    apps,
    ...more,
  };
  writeFileSync(join(folder, "site.json"), JSON.stringify(config));
  const server = await serve(["--config", "site.json"], { cwd: folder });
  t.after(() => server.stop());
  const run = (...args: string[]) => sallyport([...args, "--control", "control.sock"], folder);
  return {
    server,
    run,
    status: () => statusAt(join(folder, "control.sock")),
    want: (name) => writeFileSync(join(folder, name), ""),
    no: (name) => rmSync(join(folder, name)),
    ask: async (target = "/") => {
      const response = await fetch(server.url + target, { headers: { connection: "close" } });
      assert.equal(response.status, 200);
      return response.text();
    },
  };
}

const serving = async (site: Site): Promise<(number | undefined)[]> =>
  (await site.status()).serverProcesses.filter(({ state }) => state === "serving").map(({ pid }) => pid);

const starting = async (site: Site): Promise<number> =>
  (await site.status()).serverProcesses.filter(({ state }) => state === "starting").length;

/** Resolves after the pause before another would start in its place. */
async function killed({ server }: Site, pid: number | undefined): Promise<void> {
  process.kill(pid as number, "SIGKILL");
  await server.sees(new RegExp(`server process ${pid} was killed by SIGKILL`));
  await delay(500);
}

const CLIENTS = 8;

/** Kept connections that post one request after the other; `end` tells which processes have answered, and what failed. */
function load(url: string, targets: readonly string[] = ["/"], pause = 2) {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const failed: unknown[] = [];
  const pids = new Set<string>();
  let over = false;
  const post = (target: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const sending = request(url + target, { agent, method: "POST" }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
        response.on("error", reject).on("end", () => {
          pids.add(text);
          if (response.statusCode === 200) resolve();
          else reject(new Error(`${response.statusCode}: ${text}`));
        });
      });
      sending.on("error", reject);
      sending.end("x".repeat(1_000));
    });
  const client = async (_: unknown, i: number): Promise<void> => {
    while (!over) {
      await post(targets[i % targets.length] as string).catch((error) => failed.push(error));
      await delay(pause);
    }
  };
  const clients = Array.from({ length: CLIENTS }, client);
  const end = async (): Promise<unknown[]> => {
    over = true;
    await Promise.all(clients);
    agent.destroy();
    return failed;
  };
  return { pids, failed, end };
}

/** Until so many processes have answered. At no time is more than one being started. */
async function replaced(site: Site, pids: ReadonlySet<string>, count: number): Promise<void> {
  await until(async () => {
    const { serverProcesses } = await site.status();
    const starting = serverProcesses.filter(({ state }) => state === "starting").length;
    assert.ok(starting <= 1, `${starting} at once`);
    return pids.size >= count;
  });
}

test("maxRequests: two server processes are replaced again and again, one at a time, and no request fails", async (t) => {
  const site = await start(t, { app: { ...embedded, maxRequests: 200 } });
  const loaded = load(site.server.url);
  await replaced(site, loaded.pids, 4);
  assert.deepEqual(await loaded.end(), []);
  await site.server.sees(/server process \d+ has served its share of requests; \d+ takes over/);
  assert.equal((await site.status()).restarts, 0);
});

test("maxAge: both are replaced, and no request fails", async (t) => {
  const site = await start(t, { app: { ...embedded, maxAge: "3s" } });
  const loaded = load(site.server.url);
  await replaced(site, loaded.pids, 4);
  assert.deepEqual(await loaded.end(), []);
  await site.server.sees(/server process \d+ has run for \d+ s; \d+ takes over/);
});

test("maxMemory: a leak of 10 MB a request is met, and no request fails", LINUX, async (t) => {
  const site = await start(t, { app: { ...embedded, maxMemory: "300M", memoryLimit: "8G" } });
  const loaded = load(site.server.url, ["/leak", ...Array.from({ length: CLIENTS - 1 }, () => "/")], 50);
  await replaced(site, loaded.pids, 4);
  assert.deepEqual(await loaded.end(), []);
  await site.server.sees(/server process \d+ holds \d+ MiB of memory, more than 300 MiB; \d+ takes over/);
});

test("memoryLimit: a jump ends that server process only, and another takes its place", LINUX, async (t) => {
  const site = await start(t, { app: { ...embedded, memoryLimit: "500M" } });
  await site.server.sees(/2 server processes serve/);
  const before = await serving(site);
  await assert.rejects(fetch(`${site.server.url}/jump`));
  const [, ended] = await site.server.sees(
    /server process (\d+) was ended: it held \d+ MiB of memory, and its limit is 500 MiB.*\n/,
  );
  assert.match(site.server.stderr, /ERR_SALLYPORT_MEMORY_LIMIT/);
  const other = before.find((pid) => String(pid) !== ended);
  await until(async () => {
    const present = await serving(site);
    assert.ok(present.includes(other));
    return present.length === 2;
  });
  await site.ask();
  const told = site.server.stderr.split("\n").filter((line) => line.includes(`server process ${ended} `));
  assert.deepEqual([told.length, /another starts/.test(told[0] ?? "")], [1, true], told.join("\n"));
});

test("a lone server process is replaced, too: kept connections go over to its successor", async (t) => {
  const site = await start(t, { app: { ...embedded, maxRequests: 100 } }, { serverProcesses: 1 });
  const loaded = load(site.server.url);
  await replaced(site, loaded.pids, 3);
  assert.deepEqual(await loaded.end(), []);
});

test("a successor that cannot start is tried again with growing pauses, while the old one serves", async (t) => {
  const site = await start(t, { app: { ...embedded, maxAge: "1s" } }, { serverProcesses: 1 });
  const old = await site.ask();
  site.want("broken");
  const failures = (): number => site.server.stderr.match(/no successor for server process/g)?.length ?? 0;
  await until(() => failures() >= 3);
  assert.match(site.server.stderr, /no successor for server process \d+: .*broken meanwhile/);
  // One may have taken over before the app was broken.
  const present = await site.ask();
  assert.deepEqual(await serving(site), [Number(present)]);
  site.no("broken");
  await until(async () => ![old, present].includes(await site.ask()));
});

test("requests are counted for each embedded app, and apps in daemon mode keep their own limits", async (t) => {
  const apps = {
    limited: { ...embedded, maxRequests: 20 },
    free: embedded,
    daemon: { wsgi: "app:app", python: PYTHON, maxRequests: 5 },
  };
  const routes = [
    { path: "/free", app: "free" },
    { path: "/daemon", app: "daemon" },
    { path: "/", app: "limited" },
  ];
  const site = await start(t, apps, { routes, serverProcesses: 1 });
  const old = await site.ask("/free");
  const daemons = new Set<string>();
  await until(async () => daemons.add(await site.ask("/daemon")).size >= 3);
  for (let i = 0; i < 60; i++) assert.equal(await site.ask("/free"), old);
  const [now] = (await site.status()).serverProcesses;
  assert.equal(now?.apps.free?.requests, 61);
  await until(async () => (await site.ask()) !== old);
  await until(async () => (await serving(site)).length === 1);
});

test("successors have the bounds to which an app beside was scaled", async (t) => {
  const apps = { app: { ...embedded, maxAge: "2s" }, daemon: { wsgi: "app:app", python: PYTHON } };
  const routes = [{ path: "/daemon", app: "daemon" }, { app: "app" }];
  const site = await start(t, apps, { routes, serverProcesses: 1 });
  const old = await site.ask();
  const { code, stderr } = await site.run("scale", "daemon", "2");
  assert.equal(code, 0, stderr);
  await until(async () => (await site.ask()) !== old);
  await until(async () => {
    const { serverProcesses } = await site.status();
    const bounds = serverProcesses.map(({ apps }) => apps.daemon?.bounds?.max);
    return bounds.length > 0 && bounds.every((max) => max === 2);
  });
});

test("a reload goes before a successor that is being started, and leaves no process too many", async (t) => {
  const site = await start(t, { app: { ...embedded, maxAge: "2s" } });
  site.want("slow");
  const before = await serving(site);
  await until(async () => (await site.status()).serverProcesses.some(({ state }) => state === "starting"));
  const reload = site.run("reload");
  await until(async () => (await site.status()).state === "reloading");
  site.no("slow");
  const { code, stderr } = await reload;
  assert.equal(code, 0, stderr);
  for (const pid of before) await until(() => !isAlive(pid as number));
  const { serverProcesses } = await site.status();
  assert.equal(serverProcesses.filter(({ state }) => state === "serving").length, 2);
});

test("one that dies while its successor is being started is not started a second time", async (t) => {
  const site = await start(t, { app: { ...embedded, maxAge: "1s" } }, { serverProcesses: 1 });
  site.want("slow");
  await until(async () => (await site.status()).serverProcesses.some(({ state }) => state === "starting"));
  await killed(site, (await serving(site))[0]);
  assert.equal((await site.status()).serverProcesses.length, 1);
  site.no("slow");
  await until(async () => (await serving(site)).length >= 1);
  await site.ask();
});

test("one that dies while its successor is being started is started again where a change of an app beside goes first", async (t) => {
  const apps = { app: { ...embedded, maxAge: "1s" }, daemon: { wsgi: "app:app", python: PYTHON } };
  const routes = [{ path: "/daemon", app: "daemon" }, { app: "app" }];
  const site = await start(t, apps, { routes, serverProcesses: 1 });
  site.want("slow");
  await until(async () => (await starting(site)) === 1);
  await killed(site, (await serving(site))[0]);
  const { code, stderr } = await site.run("scale", "daemon", "2");
  assert.equal(code, 0, stderr);
  site.no("slow");
  await until(async () => (await serving(site)).length >= 1);
  await site.ask();
});

test("a successor that dies during a restart, while others stand in for it, is replaced in the end", async (t) => {
  const site = await start(t, { app: embedded });
  const old = await serving(site);
  site.want("once");
  const restart = site.run("restart", "app");
  await until(async () => (await serving(site)).length === 3 && (await starting(site)) === 1);
  await killed(
    site,
    (await serving(site)).find((pid) => !old.includes(pid)),
  );
  site.no("slow");
  const { code, stderr } = await restart;
  assert.equal(code, 0, stderr);
  for (const pid of old) await until(() => !isAlive(pid as number));
  await until(async () => (await serving(site)).length === 2);
});

test("one that dies during a restart that fails is replaced all the same", async (t) => {
  const site = await start(t, { app: embedded });
  const [victim] = await serving(site);
  site.want("slow");
  const restart = site.run("restart", "app");
  await until(async () => (await starting(site)) === 1);
  await killed(site, victim);
  site.want("broken"); // for the second that is started
  site.no("slow");
  const { code, stderr } = await restart;
  assert.equal(code, 1);
  assert.match(stderr, /broken meanwhile/);
  site.no("broken");
  await until(async () => (await serving(site)).length === 2);
});

test("a stop while a successor is being started ends all", async (t) => {
  const site = await start(t, { app: { ...embedded, maxAge: "1s" } }, { serverProcesses: 1, grace: "1s" });
  site.want("slow");
  await until(async () => (await site.status()).serverProcesses.some(({ state }) => state === "starting"));
  const children = serverProcessesOf(site.server.pid);
  const stopped = site.server.stop();
  site.no("slow");
  assert.deepEqual(await stopped, { code: 0, signal: null });
  assert.ok(!children.some(isAlive));
});

test("limits that contradict each other are refused", LINUX, async (t) => {
  const apps = { app: { ...embedded, maxMemory: "200M", memoryLimit: "100M" } };
  await assert.rejects(start(t, apps), /memoryLimit, above which a process is ended, must be more/);
});
