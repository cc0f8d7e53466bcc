// What `timeout` does not count: how long a response was on its way before the client left, or before it was complete.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { makeFolder } from "../kit/make-folder.ts";
import { type StartedWsgi, startWsgi } from "../kit/start-wsgi.ts";
import { until } from "../kit/until.ts";

const TIMEOUT = 2_000;

const APP = `import os, time

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")] + LENGTHS.get(environ["PATH_INFO"], []))
    return PAGES[environ["PATH_INFO"]](environ)

def events(environ):
    try:
        while True:
            yield b"event\\n"
            time.sleep(0.7)
    finally:
        print("events closed", flush=True)

class Tidying(list):
    def close(self):
        time.sleep(1.4)
        print("tidied", flush=True)

def slowly(environ):
    time.sleep(1.4)
    return Tidying([b"ok"])

def pid(environ):
    return [str(os.getpid()).encode()]

LENGTHS = {"/slowly": [("Content-Length", "2")]}
PAGES = {"/events": events, "/slowly": slowly, "/pid": pid}
`;

async function started(t: TestContext, threads: number): Promise<StartedWsgi> {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "timed.py"), APP);
  return startWsgi(t, "timed", { chdir: folder, threads, timeout: TIMEOUT });
}

const pid = async (server: StartedWsgi): Promise<string> => (await server.ask("/pid")).body.toString();

for (const threads of [1, 2]) {
  test(`a client that leaves an old response does not make its worker hang, threads: ${threads}`, async (t) => {
    const server = await started(t, threads);
    const before = await pid(server);
    const events = server.exchange({ target: "/events" });
    await until(() => events.chunks.length >= 5); // older than the timeout
    // Just after an event: the application finds out with the next one, some checks of the deadlines later.
    const { length } = events.chunks;
    await until(() => events.chunks.length > length);
    events.hangUp();
    await server.logged(/events closed/);
    assert.equal(await pid(server), before);
    assert.deepEqual(
      server.lines.filter(({ message }) => /hangs/.test(message)),
      [],
    );
  });

  test(`what follows a whole response has a time limit of its own, threads: ${threads}`, async (t) => {
    const server = await started(t, threads);
    const before = await pid(server);
    assert.equal((await server.ask("/slowly")).status, 200);
    await server.logged(/tidied/);
    await delay(300); // one more check
    assert.equal(await pid(server), before);
  });
}
