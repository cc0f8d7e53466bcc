// Whole lives of a server whose log and access log are JSON: every line that it writes is an object, and what its
// applications log is a record with its own level, in every mode.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder } from "../kit/make-folder.ts";
import { type Served, serve } from "../kit/serve.ts";
import { until } from "../kit/until.ts";

type Line = Record<string, unknown>;

const WSGI = `
import logging, sys, threading, traceback
logging.basicConfig(level=logging.DEBUG)
log = logging.getLogger("shop")

def say():
    log.debug("a debug message")
    log.info("an info message")
    try:
        raise ValueError("inside")
    except ValueError:
        log.exception("it failed")
        traceback.print_exc()
    sys.stderr.write("Traceback (most recent call last):\\n  File x\\nKeyError: 'written'\\n")
    print("to standard output")
    print("to standard error", file=sys.stderr)
    print('{"event": "structured", "level": "error", "user": 7}')

def app(environ, start_response):
    say()
    if environ["PATH_INFO"] == "/raise":
        raise RuntimeError("not caught")
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Cache", "hit")])
    return [b"hi"]
`;
const ASGI = `${WSGI}
wsgi = app
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    say()
    if scope["path"] == "/raise":
        raise RuntimeError("not caught")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-cache", b"hit")]})
    await send({"type": "http.response.body", "body": b"hi"})
`;
const MODULE = `
export default (request) => {
  console.log("to standard output");
  console.error("to standard error\\nin two lines");
  process.emitWarning("careful");
  if (new URL(request.url).pathname === "/raise") throw new Error("not caught");
  return new Response("hi", { headers: { "X-Cache": "hit" } });
};
`;

/** Every complete line, parsed. */
const linesOf = (text: string): Line[] =>
  text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      try {
        return JSON.parse(line) as Line;
      } catch {
        throw new Error(`not JSON: ${line}`);
      }
    });

const JSON_LOGS = ["--log-format", "json", "--access-format", "json", "--access-log", "-"];

/** Start, requests, 404 and a reload; gives all records of the log and of the access log. */
async function lifeOf(file: string, source: string, options: readonly string[]): Promise<[Line[], Line[]]> {
  const directory = makeFolder();
  writeFileSync(join(directory, file), source);
  const target = file.endsWith(".py") ? `${file.slice(0, -3)}:app` : file;
  const server = await serve([target, ...options, ...JSON_LOGS], { cwd: directory });
  await requests(server);
  await server.sees(/it failed|in two lines/);
  process.kill(server.pid, "SIGHUP");
  await server.sees(/was reloaded|was replaced|were replaced/);
  // The connection that was kept may be closed at this very moment: an idle one ends with its server process.
  await until(async () => (await fetch(server.url).catch(() => undefined))?.status === 200);
  assert.equal((await server.stop()).code, 0);
  return [linesOf(server.stderr), linesOf(server.stdout)];
}

async function requests({ url }: Served): Promise<void> {
  assert.equal(await (await fetch(url)).text(), "hi");
  assert.equal((await fetch(`${url}/raise`)).status, 500);
}

const of = (lines: readonly Line[], message: RegExp): Line => {
  const found = lines.find((line) => message.test(String(line.message)));
  assert.ok(found, `no line ${message} among\n${lines.map((line) => JSON.stringify(line)).join("\n")}`);
  return found;
};

const PYTHON: readonly [string, string, string, readonly string[]][] = [
  ["WSGI", "app.py", WSGI, []],
  ["WSGI", "app.py", WSGI, ["--interface", "wsgi", "--threads", "3", "--server-processes", "2"]],
  ["ASGI", "app.py", ASGI, ["--interface", "asgi"]],
  ["WSGI", "app.py", WSGI, ["--embedded"]],
];

for (const [kind, file, source, options] of PYTHON) {
  test(`what an application logs is one record with its own level: ${kind} ${options.join(" ")}`, async () => {
    const [log, access] = await lifeOf(file, source, options);
    const summary = (message: RegExp): unknown[] => {
      const { level, app, pid, logger } = of(log, message);
      assert.equal(typeof pid, "number");
      return [level, app, logger];
    };
    assert.deepEqual(summary(/^a debug message$/), ["debug", "app", "shop"]);
    assert.deepEqual(summary(/^an info message$/), ["info", "app", "shop"]);
    assert.deepEqual(summary(/^it failed$/), ["error", "app", "shop"]);
    assert.deepEqual(summary(/^ValueError: inside$/), ["error", "app", undefined]);
    assert.deepEqual(summary(/^KeyError: 'written'$/), ["error", "app", undefined]);
    assert.deepEqual(summary(/^to standard output$/), ["info", "app", undefined]);
    assert.deepEqual(summary(/^to standard error$/), ["warn", "app", undefined]);
    assert.deepEqual(summary(/^structured$/), ["error", "app", undefined]);
    assert.equal(of(log, /^structured$/).user, 7);
    assert.match(String(of(log, /^it failed$/).detail), /^Traceback [\s\S]*\nValueError: inside$/);
    assert.equal(log.filter(({ message }) => /Traceback|File "/.test(String(message))).length, 0);
    of(log, /^listening on /);
    of(log, /not caught/);

    const [ok, raised] = access as [Line, Line];
    assert.deepEqual([ok.status, ok.app, ok.target], [200, "app", "/"]);
    assert.equal(ok.interface, kind); // also where the app decides
    assert.deepEqual([raised.status, raised.error], [500, null]);
    if (!options.includes("--embedded")) assert.equal(ok.worker, of(log, /^an info message$/).pid);
    assert.ok(Number(ok.totalMs) >= Number(ok.appMs));
  });
}

test("a module's console and Node's warnings are records, too", async () => {
  const [log, access] = await lifeOf("app.mjs", MODULE, []);
  assert.equal(of(log, /^to standard output$/).level, "info");
  const error = of(log, /^to standard error$/);
  assert.deepEqual([error.level, error.detail], ["error", "in two lines"]);
  assert.equal(of(log, /^Warning: careful$/).level, "warn");
  assert.equal(access[0]?.interface, "fetch");
});

test("the lines of `serve --reload` are JSON, too", async () => {
  const directory = makeFolder();
  writeFileSync(join(directory, "app.py"), WSGI);
  const server = await serve(["app:app", "--reload", ...JSON_LOGS], { cwd: directory });
  await server.sees(/app is ready/);
  await requests(server);
  writeFileSync(join(directory, "app.py"), "broken(\n");
  await server.sees(/SyntaxError/);
  assert.equal((await fetch(server.url)).status, 500);
  await server.stop();
  const log = linesOf(server.stderr);
  assert.equal(of(log, /^it failed$/).level, "error");
  assert.ok(linesOf(server.stdout).length >= 3);
});

test("a failed start is JSON, with one server process and several", async () => {
  for (const options of [[], ["--server-processes", "2"]]) {
    const directory = makeFolder();
    writeFileSync(join(directory, "app.py"), "raise ValueError('no')\n");
    const started = serve(["app:app", ...options, ...JSON_LOGS], { cwd: directory });
    const failure = await started.then(
      () => assert.fail("it started"),
      (error: Error) => error.message,
    );
    const lines = failure.split("\n").filter((line) => line.startsWith("{"));
    assert.ok(lines.length >= 1, failure);
    for (const line of lines) JSON.parse(line);
    assert.match(failure, /importing 'app' failed: ValueError: no/);
  }
});

test("what the access log shows of a client's fault is no second line; without an access log it is one", async () => {
  const directory = makeFolder();
  writeFileSync(join(directory, "index.html"), "hi");
  const ask = async (access: string): Promise<Line[]> => {
    const server = await serve([".", "--log-format", "json", "--access-log", access], { cwd: directory });
    assert.equal((await fetch(`${server.url}/nothing`)).status, 404);
    await until(() => access === "off" || server.stdout.includes(" 404 "));
    await server.stop();
    return linesOf(server.stderr).filter(({ fault }) => fault === "client");
  };
  assert.equal((await ask("-")).length, 0);
  assert.equal((await ask("off")).length, 1);
});
