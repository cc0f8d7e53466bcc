// `sallyport explain` as somebody types it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { APPS } from "../explain/ask.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { pythons } from "../kit/pythons.ts";
import { sallyport } from "../kit/run-command.ts";

const explain = (...args: readonly string[]) => sallyport(["explain", ...args], APPS);

describe("the words", () => {
  test("target, method and URL", async () => {
    const { code, stdout, stderr } = await explain(
      "dump:wsgi",
      "PUT",
      "/a?b",
      "--interface",
      "wsgi",
      "--mount",
      "/a",
    );
    assert.equal(stderr, "");
    assert.equal(code, 0);
    assert.match(stdout, /^PUT http:\/\/127\.0\.0\.1:8000\/a\?b$/m);
    assert.match(stdout, /^ {2}SCRIPT_NAME +\/a /m);
  });

  test("the method may be left out", async () => {
    const { stdout } = await explain("dump:wsgi", "/", "-d", "a=1", "--as", "scgi");
    assert.match(stdout, /^POST /);
    assert.match(stdout, /^SCGI — /m);
  });

  test("what is missing is told", async () => {
    const { code, stderr } = await explain();
    assert.equal(code, 2);
    assert.match(stderr, /which request\?/);
  });
});

test("a client of another address, a header and a file as the body", async () => {
  const { stdout } = await explain(
    "dump:wsgi",
    "/",
    "--client",
    "203.0.113.9",
    "-H",
    "X-A: b",
    "-d",
    "@dump.py",
    "--interface",
    "wsgi",
  );
  assert.match(stdout, /^ {2}REMOTE_ADDR +203\.0\.113\.9 /m);
  assert.match(stdout, /^ {2}HTTP_X_A +b +header field X-A$/m);
  assert.match(stdout, /^ {2}wsgi\.input +\d+ bytes: /m);
});

test("a body that cannot be read is said to be none", async () => {
  const { code, stderr } = await explain("dump:wsgi", "/", "-d", `@${join(makeFolder(), "missing")}`);
  assert.equal(code, 2);
  assert.match(stderr, /the body cannot be read: ENOENT/);
});

test("with --json a program can read all of it, bytes as base64", async () => {
  const { stdout } = await explain("dump:wsgi", "/x", "--as", "uwsgi", "--json");
  const found = JSON.parse(stdout) as { request: { bytes: string }; handovers: { interface: string }[] };
  assert.match(Buffer.from(found.request.bytes, "base64").toString(), /^GET \/x HTTP\/1\.1\r\n/);
  assert.equal(found.handovers[0]?.interface, "uwsgi");
});

test("with --run the app answers", async () => {
  const { code, stdout } = await explain("dump:asgi", "/x", "--interface", "asgi", "--run");
  assert.equal(code, 0);
  assert.match(stdout, /^ {2}HTTP\/1\.1 200 OK$/m);
});

test("a request that is refused ends with 1", async () => {
  const { code, stdout } = await explain("dump:wsgi", "/x", "-H", "Host: a b");
  assert.equal(code, 1);
  assert.match(stdout, /ERR_SALLYPORT_BAD_HOST/);
});

test("its options are not those of serve", async () => {
  const { code, stderr } = await sallyport(["serve", "dump:wsgi", "--bytes"], APPS);
  assert.equal(code, 2);
  assert.match(stderr, /--bytes is for sallyport explain, not for sallyport serve/);
});

const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));
const IN_TERMINAL = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";

/** What a terminal gets with these variables. */
function inTerminal(env: NodeJS.ProcessEnv): string {
  // On a CI service Node finds that a terminal has no colours.
  const { FORCE_COLOR: _force, NO_COLOR: _no, CI: _ci, ...own } = process.env;
  const command = [process.execPath, BIN, "explain", "dump:wsgi", "/", "--interface", "wsgi"];
  const { stdout, status } = spawnSync(pythons()[0]?.path as string, ["-c", IN_TERMINAL, ...command], {
    cwd: APPS,
    env: { ...own, ...env },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    timeout: 60_000,
  });
  assert.equal(status, 0, stdout);
  assert.match(stdout, /PATH_INFO/);
  return stdout;
}

test("a terminal gets colours, unless it has none or NO_COLOR says so", () => {
  assert.match(inTerminal({ TERM: "xterm-256color" }), /\u001b\[/);
  for (const env of [{ TERM: "xterm-256color", NO_COLOR: "1" }, { TERM: "dumb" }])
    assert.doesNotMatch(inTerminal(env), /\u001b\[/, JSON.stringify(env));
});
