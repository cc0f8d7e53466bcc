import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeFolder } from "../kit/make-folder.ts";
import { sallyport } from "../kit/run-command.ts";
import { serve } from "../kit/serve.ts";

const here = makeFolder();

const FILES: Readonly<Record<string, string>> = {
  "hello.py": `
import os
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    text = "%s|%s|%s" % (environ["SCRIPT_NAME"], environ["PATH_INFO"], os.environ.get("GREETING"))
    return [text.encode()]
`,
  "broken.py": "import no_such_thing\n",
  "api.ts":
    'export default (request: Request): Response => new Response("fetched " + new URL(request.url).pathname);\n',
  "broken.ts": 'throw new Error("no database");\n',
  "named.ts": "export const app = (): Response => new Response();\n",
  "quits.mjs": "process.exit(7);\n",
  program: "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nran for %s' \"$PATH_INFO\"\n",
  "site/index.html": "<h1>home</h1>",
  "config/json.yaml":
    "listen: ['192.0.2.1:8000']\napps: { site: { static: ../site } }\nlog: { format: json }\n",
  "site/cgi-bin/run": "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nran %s' \"$SCRIPT_NAME\"\n",
  "config/sallyport.config.yaml": "listen: ['127.0.0.1:0']\napps:\n  site: { static: ../site }\n",
  "config/bad.yaml": "apps:\n  site:\n    statick: ../site\n",
};

for (const [name, text] of Object.entries(FILES)) {
  mkdirSync(join(here, name, ".."), { recursive: true });
  writeFileSync(join(here, name), text);
}
for (const name of ["program", "site/cgi-bin/run"]) chmodSync(join(here, name), 0o755);

const textOf = async (url: string): Promise<string> => (await fetch(url)).text();

const SERVED: [string, string[], string, string][] = [
  ["a Python app", ["hello:app"], "/x", "|/x|None"],
  ["a Python module that has an app", ["hello"], "/x", "|/x|None"],
  [
    "a Python app below a prefix",
    ["hello:app", "--mount", "/shop", "--env", "GREETING=hi"],
    "/shop/x",
    "/shop|/x|hi",
  ],
  ["a module", ["api.ts"], "/x", "fetched /x"],
  ["one program", ["program"], "/x", "ran for /x"],
  ["a directory", ["site"], "/", "<h1>home</h1>"],
  ["the programs of a directory", ["site", "--cgi", "/cgi-bin"], "/cgi-bin/run", "ran /cgi-bin/run"],
  ["a directory of programs", ["site/cgi-bin", "--cgi", "/"], "/run", "ran /run"],
  ["them below a prefix", ["site/cgi-bin", "--cgi", "/", "--mount", "/x"], "/x/run", "ran /x/run"],
  ["a configuration", ["--config", "config/sallyport.config.yaml"], "/", "<h1>home</h1>"],
];

for (const [what, args, path, text] of SERVED) {
  test(`serves ${what}: sallyport serve ${args.join(" ")}`, async () => {
    const server = await serve(args, { cwd: here });
    try {
      assert.equal(await textOf(server.url + path), text);
    } finally {
      assert.deepEqual(await server.stop(), { code: 0, signal: null });
    }
    assert.match(
      server.stderr,
      new RegExp(`^(?:\\S+ → .+\\n)*(?:.+ · ${server.url}\\n)?listening on ${server.url}\\nstopped\\n$`),
    );
  });
}

test("outside of --mount there is nothing", async () => {
  const server = await serve(["api.ts", "--mount", "/api"], { cwd: here });
  assert.equal((await fetch(`${server.url}/apiary`)).status, 404);
  assert.equal((await fetch(`${server.url}/api/x`)).status, 200);
  await server.stop();
});

test("the configuration of the working directory is found, and options overrule it", async () => {
  const server = await serve(["--access-log", "access.log"], { cwd: join(here, "config") });
  assert.equal(await textOf(server.url), "<h1>home</h1>");
  await server.stop();
  assert.match(readFileSync(join(here, "config", "access.log"), "utf8"), /"GET \/ HTTP\/1\.1" 200 13 /);
});

test("the access log goes to standard output unless it is off", async () => {
  const loud = await serve(["site", "--access-log", "-"], { cwd: here });
  await textOf(loud.url);
  await loud.stop();
  assert.match(
    loud.stdout,
    /^127\.0\.0\.1 - - \[.*\] "GET \/ HTTP\/1\.1" 200 13 "-" ".*" \d+\.\dms app -\n$/,
  );
  const quiet = await serve(["site"], { cwd: here });
  await textOf(quiet.url);
  await quiet.stop();
  assert.equal(quiet.stdout, "");
});

test("--unix listens at a socket that is gone afterwards", async () => {
  const socketPath = join(here, "unix.sock");
  const server = await serve(["site", "--unix", socketPath], { cwd: here });
  assert.match(server.stderr, new RegExp(`^listening on unix:${socketPath}$`, "m"));
  const [response] = await once(request({ socketPath, path: "/" }).end(), "response");
  assert.equal(response.resume().statusCode, 200);
  await server.stop();
  assert.equal(existsSync(socketPath), false);
});

test("--fd serves at an inherited socket and prints its address", async () => {
  const listening = createServer().listen(0, "127.0.0.1");
  await once(listening, "listening");
  const { fd } = (listening as unknown as { _handle: { fd: number } })._handle;
  const bin = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));
  const args = [bin, "serve", "site", "--fd", "3", "--access-log", "off"];
  const child = spawn(process.execPath, args, { cwd: here, stdio: ["ignore", "inherit", "pipe", fd] });
  const closed = once(child, "close");
  listening.close();
  const [line] = await once((child.stderr as NodeJS.ReadableStream).setEncoding("utf8"), "data");
  const [, url] =
    /^listening on (http:\/\/127\.0\.0\.1:\d+)$/m.exec(String(line)) ?? assert.fail(String(line));
  assert.equal(await textOf(String(url)), "<h1>home</h1>");
  child.kill("SIGTERM");
  assert.deepEqual(await closed, [0, null]);
});

/** Every line of a text as JSON; fails at one that is none. */
const objectsIn = (text: string): { level: string; message: string; url?: string; code?: string }[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

for (const count of ["1", "2"]) {
  test(`with a JSON log, every line of standard error is JSON (--server-processes ${count})`, async () => {
    const args = ["site", "--log-format", "json", "--log-level", "error", "--server-processes", count];
    const server = await serve(args, { cwd: here });
    await server.stop();
    const [line, ...others] = objectsIn(server.stderr);
    assert.deepEqual(
      { ...line, time: "" },
      { time: "", level: "info", message: `listening on ${server.url}`, url: server.url },
    );
    assert.deepEqual(others, []);
  });
}

const JSON_FAILURES: [string, string[], string][] = [
  ["by an option", ["site", "--log-format=json", "--host", "192.0.2.1"], "ERR_SALLYPORT_ADDRESS_UNUSABLE"],
  ["before the options are known", ["site", "--log-format", "json", "--prot", "1"], "ERR_SALLYPORT_USAGE"],
  ["by the configuration", ["--config", "config/json.yaml"], "ERR_SALLYPORT_ADDRESS_UNUSABLE"],
];

for (const [where, args, code] of JSON_FAILURES) {
  test(`a failed start is reported in JSON when the log is JSON ${where}`, async () => {
    const { stderr } = await sallyport(["serve", ...args], here);
    assert.deepEqual(
      objectsIn(stderr).map((line) => [line.level, line.code]),
      [["error", code]],
    );
  });
}

const FAILURES: [string, string[], number, RegExp][] = [
  [
    "an unknown option",
    ["serve", "--prot", "1"],
    2,
    /^sallyport: unknown option --prot; did you mean --port\? \[ERR_SALLYPORT_USAGE\]\n$/,
  ],
  ["no command", [], 2, /^sallyport: no command; try /],
  [
    "a forgotten `serve`",
    ["hello:app"],
    2,
    /^sallyport: unknown command hello:app; did you mean sallyport serve hello:app\?/,
  ],
  ["two targets", ["serve", "a:b", "c:d"], 2, /^sallyport: one target at a time: a:b, and then c:d/],
  [
    "a target that is nothing",
    ["serve", "no/such"],
    1,
    /^sallyport: there is no file no\/such, .*\[ERR_SALLYPORT_TARGET_NOT_FOUND\]\n$/,
  ],
  [
    "a Python module that is missing",
    ["serve", "absent:app", "--port", "0"],
    1,
    /^sallyport: .*absent.*\[ERR_SALLYPORT_APP_IMPORT\]/,
  ],
  [
    "a Python module that fails, with its traceback",
    ["serve", "broken:app", "--port", "0"],
    1,
    /^sallyport: .*\[ERR_SALLYPORT_APP_IMPORT\]\n(.*\n)*.*broken\.py", line 1.*\n(.*\n)*.*No module named 'no_such_thing'/,
  ],
  [
    "a missing interpreter",
    ["serve", "hello:app", "--python", "/no/python"],
    1,
    /^sallyport: .*\/no\/python.*\[ERR_SALLYPORT_PYTHON_NOT_FOUND\]/,
  ],
  [
    "a module that throws",
    ["serve", "broken.ts"],
    1,
    /^sallyport: .*broken\.ts.*no database \[ERR_SALLYPORT_APP_IMPORT\]/,
  ],
  [
    "a module that ends the process",
    ["serve", "quits.mjs", "--port", "0"],
    7,
    /^sallyport: the application ended the server, with exit code 7, while .* \[ERR_SALLYPORT_APP_IMPORT\]\n$/,
  ],
  [
    "a module without a default export",
    ["serve", "named.ts", "--port", "0"],
    1,
    /^sallyport: .*named\.ts has no default export; it exports only app; where it listens itself, write "export default app" instead \[ERR_SALLYPORT_CONFIG_INVALID\]\n$/,
  ],
  [
    "a configuration with a mistake",
    ["serve", "--config", "config/bad.yaml"],
    1,
    /^sallyport: bad\.yaml:2: apps\.site: must have one of the keys .*; did you mean static\? \[ERR_SALLYPORT_CONFIG_INVALID\]\n$/,
  ],
  [
    "an address of another machine",
    ["serve", "site", "--host", "192.0.2.1"],
    1,
    /^sallyport: cannot listen at http:\/\/192\.0\.2\.1:8000: .*\[ERR_SALLYPORT_ADDRESS_UNUSABLE\]\n$/,
  ],
];

for (const [what, args, code, pattern] of FAILURES) {
  test(`${what}: exit code ${code}, one message, no stack of ours`, async () => {
    const ended = await sallyport(args, here);
    assert.match(ended.stderr, pattern);
    assert.deepEqual([ended.code, ended.stdout], [code, ""]);
    assert.doesNotMatch(ended.stderr, /sallyport\/(src|dist)|\/dist\/|node:internal/);
    assert.equal(ended.stderr.match(/^sallyport: /gm)?.length, 1);
  });
}

test("--help and --version print to standard output and succeed", async () => {
  const help = await sallyport(["serve", "--help"]);
  assert.deepEqual([help.code, help.stderr], [0, ""]);
  assert.match(help.stdout, /^Usage: sallyport serve \[TARGET\]/);
  const version = await sallyport(["--version"]);
  assert.deepEqual([version.code, version.stderr], [0, ""]);
  assert.match(version.stdout, /^sallyport \d+\.\d+\.\d+\S*\n$/);
});
