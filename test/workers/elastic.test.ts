// Real worker processes whose number follows the requests: a load that rises and falls, bursts, none at all, failures.
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Gateway, GatewayStatus } from "../../src/exchange/index.ts";
import type { Recorded } from "../../src/testing/recorded.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { gone, isAlive } from "../kit/processes.ts";
import { startAsgi } from "../kit/start-asgi.ts";
import { startWsgi } from "../kit/start-wsgi.ts";
import { until } from "../kit/until.ts";

const WSGI = `import os, time
with open(os.environ["STARTS"], "a") as starts: print(os.getpid(), file=starts)
if os.path.exists("broken"): raise RuntimeError("broken for now")
if os.path.exists("slow"): time.sleep(2)

def application(environ, start_response):
    time.sleep(float(environ["QUERY_STRING"] or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/several": return [str(environ["wsgi.multiprocess"]).encode()]
    return [str(os.getpid()).encode()]
`;

const ASGI = `import asyncio, os, time
with open(os.environ["STARTS"], "a") as starts: print(os.getpid(), file=starts)

async def application(scope, receive, send):
    if scope["type"] != "http": raise RuntimeError("only http")
    seconds = float(scope["query_string"] or 0)
    if scope["path"] == "/burn": time.sleep(seconds)
    else: await asyncio.sleep(seconds)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
`;

interface Elastic {
  readonly folder: string;
  readonly gateway: Gateway;
  readonly lines: readonly { readonly message: string }[];
  logged(pattern: RegExp): Promise<unknown>;
  ask(target: string): Promise<Recorded>;
  /** The pids of all processes that were started. */
  starts(): number[];
  status(): GatewayStatus;
  /** How many processes take requests. */
  count(): number;
}

type Options = NonNullable<Parameters<typeof startWsgi>[2]>;

async function start(t: TestContext, kind: "wsgi" | "asgi", options: Options): Promise<Elastic> {
  // As a client's connection does: there may be no process at all.
  const awake = setInterval(() => {}, 60_000);
  t.after(() => clearInterval(awake));
  const folder = makeFolder(t);
  const noted = join(folder, "starts");
  writeFileSync(join(folder, "elastic.py"), kind === "wsgi" ? WSGI : ASGI);
  const common = { ...options, chdir: folder, env: { STARTS: noted, PYTHONDONTWRITEBYTECODE: "1" } };
  const { threads: _, timeout: __, ...forBoth } = common as Options;
  const server =
    kind === "wsgi"
      ? await startWsgi(t, "elastic", common)
      : await startAsgi(t, forBoth as object, {}, "elastic");
  const status = () => server.gateway.status?.() as GatewayStatus;
  return {
    folder,
    gateway: server.gateway,
    lines: server.lines,
    logged: server.logged,
    ask: (target) => server.ask(target),
    starts: () =>
      existsSync(noted) ? readFileSync(noted, "utf8").split("\n").filter(Boolean).map(Number) : [],
    status,
    count: () => status().processes.filter(({ state }) => state === "idle" || state === "busy").length,
  };
}

/** `clients` that ask one after the other until `until` is true. */
async function load(server: Elastic, target: string, clients: number, done: () => boolean): Promise<void> {
  const client = async (): Promise<void> => {
    while (!done()) assert.equal((await server.ask(target)).status, 200);
  };
  await Promise.all(Array.from({ length: clients }, client));
}

const decisions = ({ lines }: Elastic): string[] =>
  lines.map(({ message }) => message).filter((message) => / (grows|shrinks) from /.test(message));

const KINDS = [
  { name: "WSGI, one thread", kind: "wsgi", options: {}, target: "/?0.02", clients: 24 },
  { name: "WSGI, threads", kind: "wsgi", options: { threads: 2 }, target: "/?0.05", clients: 24 },
  { name: "ASGI, event loops held up", kind: "asgi", options: {}, target: "/burn?0.05", clients: 24 },
  { name: "ASGI, all places taken", kind: "asgi", options: { concurrency: 2 }, target: "/?0.1", clients: 24 },
] as const;

for (const { name, kind, options, target, clients } of KINDS)
  test(`${name}: a load that rises and falls has the processes rise and fall, and no request fails`, async (t) => {
    const processes = { min: 1, max: 3, idleTimeout: 1_500 };
    const server = await start(t, kind, { ...options, processes });
    assert.equal(server.count(), 1);
    await load(server, target, clients, () => server.count() === 3);
    await until(() => server.count() === 1);
    await server.logged(/elastic grows from \d to \d processes: /);
    await server.logged(/elastic shrinks from 2 to 1 processes: one was to spare for [\d.]+ s/);
    assert.equal((await server.ask("/")).status, 200);
    assert.ok(server.starts().length <= 4, `${server.starts().length} starts`);
    await until(() => server.starts().filter(isAlive).length === 1);
  });

test("bursts shorter than the timeout do not start and end processes in turn", async (t) => {
  const server = await start(t, "wsgi", { processes: { min: 1, max: 3, idleTimeout: 5_000 } });
  for (let burst = 0; burst < 4; burst++) {
    const answers = await Promise.all(Array.from({ length: 60 }, () => server.ask("/?0.01")));
    assert.ok(answers.every(({ status }) => status === 200));
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  assert.ok(server.starts().length <= 3, `${server.starts().length} starts`);
  assert.ok(
    decisions(server).every((line) => line.includes("grows")),
    decisions(server).join("\n"),
  );
});

for (const kind of ["wsgi", "asgi"] as const)
  test(`${kind}: from none to one with the first request, and back to none`, async (t) => {
    const server = await start(t, kind, { processes: { min: 0, max: 2, idleTimeout: 500 } });
    assert.deepEqual(server.starts(), []);
    assert.equal(server.status().interface, kind.toUpperCase());
    for (const round of [1, 2]) {
      const answers = await Promise.all([server.ask("/"), server.ask("/"), server.ask("/")]);
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200, 200],
      );
      assert.equal(server.starts().length, round);
      await until(() => server.count() === 0);
      await gone(server.starts().at(-1) as number);
    }
    await server.logged(/elastic grows from 0 to 1 processes: a request waits, and there is none/);
    await server.logged(/elastic shrinks from 1 to 0 processes/);
  });

test("an application that does not start fails those that wait, is not started by each request, and recovers", async (t) => {
  const server = await start(t, "wsgi", { processes: { min: 0, max: 4 } });
  writeFileSync(join(server.folder, "broken"), "");
  const answers = await Promise.all(Array.from({ length: 20 }, () => server.ask("/")));
  for (const { body } of answers) assert.match(body.toString(), /ERR_SALLYPORT_APP_IMPORT/);
  await server.logged(/RuntimeError: broken for now/);
  for (let i = 0; i < 3; i++) assert.equal((await server.ask("/")).status, 500);
  assert.equal(server.starts().length, 4);
  rmSync(join(server.folder, "broken"));
  assert.equal((await server.ask("/")).status, 200);
});

test("a request does not wait for a start longer than the queue allows", async (t) => {
  const server = await start(t, "wsgi", { processes: { min: 0, max: 1 }, queueTimeout: 1 });
  writeFileSync(join(server.folder, "slow"), "");
  assert.match((await server.ask("/")).body.toString(), /ERR_SALLYPORT_QUEUE_TIMEOUT/);
});

test("bounds that change at run time are effective at once, and end no request", async (t) => {
  const server = await start(t, "wsgi", { processes: 4 });
  assert.deepEqual(server.status().bounds, { min: 4, max: 4 });
  const slow = Array.from({ length: 4 }, () => server.ask("/?0.5"));
  await server.gateway.scale?.({ min: 1, max: 1 });
  assert.equal(server.count(), 1);
  assert.ok((await Promise.all(slow)).every(({ status }) => status === 200));
  await until(() => server.status().processes.length === 1);
  await server.gateway.scale?.({ min: 3, max: 3 });
  await until(() => server.count() === 3);
  await server.logged(/elastic shrinks from 4 to 1 processes: there may be 1/);
  await server.logged(/elastic grows from 1 to 3 processes: there must be 3/);
  await assert.rejects(server.gateway.scale?.({ min: 2, max: 1 }) as Promise<void>, {
    code: "ERR_SALLYPORT_CONFIG_INVALID",
  });
});

for (const kind of ["wsgi", "asgi"] as const)
  test(`${kind}: a gateway that is closed, or being closed, starts no process for other bounds`, async (t) => {
    const server = await start(t, kind, { processes: 1 });
    const closed = server.gateway.close?.(1_000);
    const more = (): Promise<void> => server.gateway.scale?.({ min: 2, max: 3 }) as Promise<void>;
    await more().catch(() => {}); // what is started before the end begins ends with the others
    await closed;
    const starts = server.starts().length;
    await assert.rejects(more(), { code: "ERR_SALLYPORT_STOPPING" });
    assert.ok(server.status().processes.every(({ state }) => state === "gone"));
    assert.equal(server.starts().length, starts);
    assert.deepEqual(server.starts().filter(isAlive), []);
  });

for (const threads of [1, 2])
  test(`wsgi.multiprocess is true once there may be several processes, in those that run, too: ${threads} threads`, async (t) => {
    const server = await start(t, "wsgi", { processes: 1, threads });
    const said = async (): Promise<string> => (await server.ask("/several")).body.toString();
    assert.equal(await said(), "False");
    const busy = server.ask("/several?0.3");
    await server.gateway.scale?.({ min: 2, max: 2 });
    assert.equal(await said(), "True");
    assert.equal((await busy).body.toString(), "False", "it was under way before");
    await until(() => server.count() === 2);
    const all = await Promise.all(Array.from({ length: 4 }, () => server.ask("/several?0.1")));
    assert.deepEqual(
      all.map(({ body }) => body.toString()),
      ["True", "True", "True", "True"],
    );
    await server.gateway.scale?.({ min: 1, max: 1 });
    await server.gateway.reload?.();
    assert.equal(await said(), "False");
  });

test("a reload keeps as many processes as there were", async (t) => {
  const server = await start(t, "wsgi", { processes: { min: 1, max: 3 } });
  await load(server, "/?0.02", 24, () => server.count() === 3);
  await server.gateway.reload?.();
  assert.equal(server.count(), 3);
  assert.equal(server.starts().length, 6);
});

for (const kind of ["wsgi", "asgi"] as const)
  for (const [before, after] of [
    [1, 3],
    [3, 1],
  ] as const)
    test(`bounds that change during a reload hold after it, from ${before} to ${after}: ${kind}`, async (t) => {
      const server = await start(t, kind, { processes: before });
      const reloaded = server.gateway.reload?.();
      await until(() => server.status().processes.length === 2 * before);
      await server.gateway.scale?.({ min: after, max: after });
      await reloaded;
      await until(() => server.count() === after);
      await until(() => server.status().processes.length === after);
      assert.ok(server.status().processes.every(({ generation }) => generation === 2));
    });

test("a worker that dies is replaced, above the least number, too", async (t) => {
  const server = await start(t, "wsgi", { processes: { min: 0, max: 1 } });
  const { body } = await server.ask("/");
  process.kill(Number(body.toString()), "SIGKILL");
  await until(() => server.status().restarts === 1 && server.count() === 1);
});
