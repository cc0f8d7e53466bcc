// Workers that are not wanted any more while they import the application, and successors whose predecessor ends before they are ready.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeFolder } from "../kit/make-folder.ts";
import { gone } from "../kit/processes.ts";
import { type StartedWsgi, startWsgi } from "../kit/start-wsgi.ts";
import { until } from "../kit/until.ts";

/** The second worker that is started waits for a file "ready2", the third for "ready3", and so on. */
const APP = `import os, time
with open("starts", "a") as starts: print(os.getpid(), file=starts)
with open("starts") as starts: number = len(starts.readlines())
while number > 1 and not os.path.exists(f"ready{number}"): time.sleep(0.02)

def application(environ, start_response):
    if environ["PATH_INFO"] == "/die": os._exit(1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
`;

interface Started extends StartedWsgi {
  /** The process that answers. */
  pid(): Promise<number>;
  /** The process that was started as `number`, once it has been. */
  nth(number: number): Promise<number>;
  /** Lets it become ready. */
  ready(number: number): void;
}

async function start(
  t: TestContext,
  options: NonNullable<Parameters<typeof startWsgi>[2]>,
): Promise<Started> {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "slow.py"), APP);
  const server = await startWsgi(t, "slow", {
    chdir: folder,
    env: { PYTHONDONTWRITEBYTECODE: "1" },
    ...options,
  });
  const starts = (): number[] => {
    const noted = join(folder, "starts");
    return existsSync(noted) ? readFileSync(noted, "utf8").trim().split("\n").map(Number) : [];
  };
  return {
    ...server,
    pid: async () => Number((await server.ask("/")).body.toString()),
    nth: async (number) => {
      await until(() => starts().length >= number);
      return starts()[number - 1] as number;
    },
    ready: (number) => writeFileSync(join(folder, `ready${number}`), ""),
  };
}

const assertEndedQuietly = ({ lines }: Started): void =>
  assert.deepEqual(
    lines.filter(({ message }) => /did not exit|no successor/.test(message)),
    [],
  );

test("a worker that is not wanted any more while it imports is ended at once", async (t) => {
  const server = await start(t, { processes: 1 });
  await server.gateway.scale?.({ min: 2, max: 2 });
  const second = await server.nth(2);
  await server.gateway.scale?.({ min: 1, max: 1 });
  await gone(second);
  assertEndedQuietly(server);
  assert.equal(await server.pid(), await server.nth(1));
});

test("a reload ends a worker that is being started for the old generation", async (t) => {
  const server = await start(t, { processes: 1 });
  assert.equal((await server.ask("/die")).status, 502);
  const replacement = await server.nth(2);
  const reload = server.gateway.reload?.();
  await server.nth(3);
  server.ready(3);
  await reload;
  await gone(replacement);
  assertEndedQuietly(server);
  assert.equal(await server.pid(), await server.nth(3));
});

test("a successor that is ready serves though its predecessor has died, and its replacement is not needed", async (t) => {
  const server = await start(t, { processes: 1, maxRequests: 10, queueTimeout: 5_000 });
  for (let i = 0; i < 10; i++) assert.equal(await server.pid(), await server.nth(1));
  const successor = await server.nth(2);
  assert.equal((await server.ask("/die")).status, 502);
  const replacement = await server.nth(3);
  const waiting = server.pid();
  server.ready(2);
  assert.equal(await waiting, successor);
  await gone(replacement);
  assertEndedQuietly(server);
  await until(() => server.gateway.status?.().processes.length === 1);
});

test("a successor of an old generation does not serve", async (t) => {
  const server = await start(t, { processes: 1, maxRequests: 10 });
  for (let i = 0; i < 10; i++) await server.pid();
  const successor = await server.nth(2);
  const reload = server.gateway.reload?.();
  await server.nth(3);
  server.ready(3);
  await reload;
  server.ready(2);
  await gone(successor);
  assert.equal(await server.pid(), await server.nth(3));
});

test("threads that the system does not allow fail the start: such a worker never becomes ready", async (t) => {
  const folder = makeFolder(t);
  const app = `import threading
start = threading._start_new_thread
count = 0
def refuse(*args):
    global count
    count += 1
    if count > 2: raise RuntimeError("can't start new thread")
    return start(*args)
threading._start_new_thread = refuse
def application(environ, start_response): pass
`;
  writeFileSync(join(folder, "scarce.py"), app);
  await assert.rejects(startWsgi(t, "scarce", { chdir: folder, threads: 4 }), {
    code: "ERR_SALLYPORT_SPAWN_FAILED",
    message: /^thread 3 of 4: can't start new thread; the system allows no more threads \(rlimits\.processes/,
  });
});

test("workers that die before they begin a request are started again after growing pauses, though a request waits", async (t) => {
  const folder = makeFolder(t);
  const app = `import os
from sallyport import stream
stream.Inline.serve = lambda *args: os._exit(1)
def application(environ, start_response): pass
`;
  writeFileSync(join(folder, "dies.py"), app);
  const server = await startWsgi(t, "dies", { chdir: folder, queueTimeout: 60_000 });
  const answer = server.ask("/").catch(() => undefined);
  const pauses = (): string[] =>
    server.lines.flatMap(
      ({ message }) => /^worker \d+ exited with status 1; another starts(.*)/.exec(message)?.[1] ?? [],
    );
  await until(() => pauses().length >= 4);
  assert.deepEqual(pauses().slice(0, 4), [" in 100 ms", " in 250 ms", " in 500 ms", " in 1000 ms"]);
  await server.gateway.close?.(0);
  await answer;
});

test("workers that are killed again and again while they start are started after growing pauses, and the log says so", async (t) => {
  const folder = makeFolder(t);
  const app = `import os, signal
if os.path.exists("killed"): os.kill(os.getpid(), signal.SIGKILL)
def application(environ, start_response):
    open("killed", "w").close()
    os.kill(os.getpid(), signal.SIGKILL)
`;
  writeFileSync(join(folder, "killed_early.py"), app);
  const server = await startWsgi(t, "killed_early", { chdir: folder });
  await server.ask("/");
  const early = /^worker \d+ was killed by SIGKILL before it was ready; another starts in (\d+) ms/;
  const pauses = (): string[] => server.lines.flatMap(({ message }) => early.exec(message)?.[1] ?? []);
  await until(() => pauses().length >= 12);
  assert.deepEqual(pauses().slice(0, 12), [...Array.from({ length: 11 }, () => "100"), "250"]);
  await server.gateway.close?.(0);
});
