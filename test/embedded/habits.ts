// Habits of applications that concern their whole process, when that process is the server.
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeFolder } from "../kit/make-folder.ts";
import { type StartedWsgi, startWsgi } from "../kit/start-wsgi.ts";
import { until } from "../kit/until.ts";

const python = process.env.EMBEDDED_PYTHON as string;
const chdir = fileURLToPath(new URL("../apps/embedded", import.meta.url));
const ends: (() => unknown)[] = [];
const scope = { after: (end: unknown) => void ends.push(end as () => unknown) };
const opened = (app: string): Promise<StartedWsgi> =>
  startWsgi(scope as never, app, { mode: "embedded", python, chdir, slowCall: 300 });

let app: StartedWsgi;
// Keeps the process alive, as a listening socket would.
const alive = setInterval(() => {}, 1_000);
before(async () => {
  app = await opened("habits:app");
});
after(async () => {
  clearInterval(alive);
  for (const end of ends.reverse()) await end();
});

const text = async (page: string): Promise<string> => {
  const { status, body, error } = await app.ask(page);
  assert.equal(status, 200, `${page}: ${error?.message}`);
  return body.toString();
};

test("what is written to a full disk is a cut response, even if the application does not care", async () => {
  const server = await opened("habits:full_disk");
  const { body, complete, error } = await server.ask("/");
  assert.equal(complete, false);
  assert.match(error?.message ?? "", /No space left on device/);
  const whole = Buffer.concat(Array.from({ length: 40 }, (_, i) => Buffer.alloc(100_000, 65 + i)));
  assert.ok(
    body.length > 1_000_000 && body.equals(whole.subarray(0, body.length)),
    "and none is missing before that",
  );
  assert.equal(await text("/count"), "0");
});

test("what is written between blocks arrives whole and in order, whatever comes last", async () => {
  const server = await opened("habits:writes_between");
  const written = [0, 1, 2].map((number) => `block ${number}${String(number).repeat(3 << 20)}`).join("");
  for (const last of ["", "the end"]) {
    const { body, complete, error } = await server.ask(`/?${last}`);
    assert.deepEqual([complete, error], [true, undefined]);
    assert.ok(body.toString("latin1") === written + last, `${body.length} bytes`);
  }
});

test("a frame that is too long costs the request under way, not the server", async () => {
  const server = await opened("habits:app");
  assert.equal((await server.ask("/frame_too_long")).status, 502);
  await server.logged(/announced a frame of 5000000 bytes/);
  assert.equal((await server.ask("/where")).status, 200);
});

test("the virtual environment's own interpreter, prefix and packages are used", async () => {
  const [prefix, , , version] = (await text("/where")).split("\n");
  const asked = (await import("node:child_process")).execFileSync(
    python,
    ["-c", "import os, sys; print(os.path.normpath(sys.prefix), sys.version.split()[0])"],
    { encoding: "utf8" },
  );
  assert.equal(`${prefix} ${version}\n`, asked);
});

test("sys.exit() ends the request, not the server", async () => {
  const { status, complete } = await app.ask("/exit");
  assert.deepEqual([status, complete], [500, true]);
  await app.logged(/SystemExit: 3/);
  assert.equal(await text("/quit_in_thread"), "joined");
});

test("a fork works as long as it ends by itself, and one that comes back ends there", async () => {
  assert.equal(await text("/fork"), "child");
  // The child runs none of those that came with its own.
  await text("/fork_quickly");
  const together = ["/fork_and_return", "/note", "/note"];
  assert.deepEqual(await Promise.all(together.map(text)), ["1", "noted", "noted"]);
  assert.equal(await text("/read_notes"), "..");
  assert.equal(await text("/run"), "42\n");
});

test("programs that an application starts have the server's standard input, output and error", async () => {
  assert.equal(await text("/streams_of_program"), "0");
});

test("processes of multiprocessing's find the packages that are installed, as they do anywhere", async () => {
  assert.equal(await text("/spawn"), "0");
});

test("threads of the application's run while the server waits for events", async () => {
  await text("/start_thread");
  const before = Number(await text("/count"));
  const give = Date.now() + 20_000;
  while (Number(await text("/count")) < before + 10 && Date.now() < give)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(Number(await text("/count")) >= before + 10);
});

test("signal handlers of the application's are refused with a warning; the server's stay", async () => {
  assert.match(await text("/signals"), /signal 15 is the server's in embedded mode/);
  const told = once(process, "SIGUSR2");
  process.kill(process.pid, "SIGUSR2");
  await told;
});

test("what an application prints, its threads and its warnings reach the log", async () => {
  await text("/printed");
  assert.equal((await app.logged(/^to standard output$/)).level, "info");
  assert.equal((await app.logged(/^to standard error$/)).level, "warn");
  await app.logged(/a warning of the application/);
  await app.logged(/^from a thread$/);
});

test("a changed environment, working directory, locale or standard output does not harm the server", async () => {
  const directory = process.cwd();
  assert.equal(await text("/surroundings"), "kept");
  assert.equal(await text("/run"), "42\n");
  assert.equal((1.5).toFixed(1), "1.5");
  process.chdir(directory);
});

test("endless recursion is an error of the request", async () => {
  assert.equal((await app.ask("/recurse")).status, 500);
  await app.logged(/RecursionError/);
  assert.equal(await text("/run"), "42\n");
});

test("an application that holds the server is named in the log", async () => {
  assert.equal(await text("/sleep?0.4"), "slept");
  await app.logged(/habits:app held this server process for \d+\.\d s/);
});

test("a long response is asked for block by block: the loop turns, and a client that waits is waited for", async () => {
  const forever = await opened("habits:forever");
  const exchange = forever.exchange({ target: "/?2000" });
  exchange.stalled = true;
  let turns = 0;
  const timer = setInterval(() => {
    turns++;
    exchange.release();
    exchange.stalled = true;
  }, 1);
  const { body, complete } = await exchange.done;
  clearInterval(timer);
  assert.deepEqual([body.length, complete], [2000 * 65_536, true]);
  assert.ok(turns > 20, `${turns} turns`);
});

test("what is written with write() faster than it can leave waits in a file, in order", async () => {
  const writes = await opened("habits:writes");
  const { body, complete } = await writes.ask("/?200");
  assert.equal(complete, true);
  assert.equal(body.length, 200 * 65_536 + 3);
  assert.equal(body.subarray(-4).toString(), "yend");
});

test("another Python in the same process, and an ASGI application, are refused in words", async () => {
  const { wsgi } = await import("../../src/protocols/wsgi/index.ts");
  const other = wsgi("habits:app", { mode: "embedded", python: "/usr/bin/python3", chdir });
  await assert.rejects(async () => other.start?.(), /PYTHON_NOT_FOUND|holds one Python|no shared library/);
  const asgi = wsgi("asgi_app:app", { mode: "embedded", python, chdir });
  await assert.rejects(async () => asgi.start?.(), /is an ASGI application; .*daemon mode/);
  const missing = wsgi("nowhere:app", { mode: "embedded", python, chdir });
  await assert.rejects(async () => missing.start?.(), /there is no module 'nowhere'/);
});

for (const place of ["import", "call"])
  for (const kind of ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "ValueError"])
    test(`${kind} while an application is loaded (${place}) is told, and the server goes on`, async () => {
      const { wsgi } = await import("../../src/protocols/wsgi/index.ts");
      const env = { RAISES: kind, RAISES_AT: place };
      const broken = wsgi("raises:factory()", { mode: "embedded", python, chdir, env });
      await assert.rejects(async () => broken.start?.(), new RegExp(kind));
      await text("/printed");
      await app.logged(/^to standard output$/);
    });

test("a reload is refused with what to do instead", async () => {
  await assert.rejects(async () => app.gateway.reload?.(), /replaces server processes/);
});

/** EMBEDDED_REQUESTS=5000000 for a check that takes minutes. */
const REQUESTS = Number(process.env.EMBEDDED_REQUESTS ?? 40_000);
const ROUNDS = 4;

test("no object and no memory is left behind by requests", async (t) => {
  const seen: { objects: number; memory: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < REQUESTS / ROUNDS; i++) await text("/objects?rough");
    seen.push({ objects: Number(await text("/objects")), memory: process.memoryUsage.rss() });
    t.diagnostic(`round ${round + 1}: ${seen[round]?.objects} objects, ${seen[round]?.memory} bytes`);
  }
  const [first, last] = [seen[0], seen.at(-1)] as [(typeof seen)[0], (typeof seen)[0]];
  assert.ok(last.objects - first.objects < 100);
  assert.ok(last.memory - first.memory < 64 * 1_048_576);
});

test("exit functions run when the gateway closes, after the responses under way and the work of executors", async () => {
  const server = await opened("habits:until_there");
  const file = join(makeFolder(scope as never), "there");
  const asked = server.exchange({ target: `/?${file}` });
  await until(() => asked.chunks.length > 0);
  const other = await opened("habits:works_later");
  const closed = server.gateway.close?.(20_000);
  assert.equal((await other.ask("/")).status, 200);
  assert.equal((await server.ask("/")).status, 503);
  writeFileSync(file, "");
  await closed;
  const { complete, body } = await asked.done;
  assert.deepEqual([complete, body.toString()], [true, "begun and over"]);
  await app.logged(/^exit functions ran$/);
  const said = app.lines.map(({ message }) => message);
  const places = ["the response is over", "an executor has done its work", "exit functions ran"].map((line) =>
    said.indexOf(line),
  );
  assert.ok(places.every((place, i) => place >= 0 && place > (places[i - 1] ?? -1)));
});

test("a response that is under way when the grace is over is cut", async () => {
  const server = await opened("habits:until_there");
  const asked = server.exchange({ target: "/?/not/there" });
  await until(() => asked.chunks.length > 0);
  await server.gateway.close?.(50);
  const { complete, error } = await asked.done;
  assert.deepEqual([complete, error?.code], [false, "ERR_SALLYPORT_STOPPING"]);
});

test("a last line without its end reaches the log when the last application ends", async () => {
  await text("/unfinished");
  for (const end of ends.splice(0).reverse()) await end();
  assert.ok(app.lines.some(({ message }) => message === "a line without its end"));
});
