// `sallyport serve` started by web servers and by systemd instead of a person, and in several protocols at once.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { createServer as createSocket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Config } from "../../src/config/config.ts";
import { silentLog } from "../../src/exchange/index.ts";
import { createServer } from "../../src/server/create.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { type Served, type ServeOptions, serve, serveBy } from "../kit/serve.ts";

const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));
const here = makeFolder();

const FILES: Readonly<Record<string, string>> = {
  "hello.py": `
print("imported")
def app(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["|".join([environ["SCRIPT_NAME"], environ["PATH_INFO"], body.decode()]).encode()]
`,
  "broken.py": "import no_such_thing\n",
  "front.yaml": "apps:\n  cgi: { cgi: . }\n",
  // What a host that only has CGI runs.
  "site.cgi": `#!/bin/sh\nexec ${process.execPath} ${BIN} serve hello:app\n`,
  "broken.cgi": `#!/bin/sh\nexec ${process.execPath} ${BIN} serve broken:app\n`,
  "sallyport.config.yaml":
    "apps:\n  hello: { wsgi: hello:app }\nlisten: ['127.0.0.1:1']\nlog: { access: '-' }\n",
};
for (const [name, text] of Object.entries(FILES)) writeFileSync(join(here, name), text);
for (const name of ["site.cgi", "broken.cgi"]) chmodSync(join(here, name), 0o755);

async function started(t: TestContext, config: Pick<Config, "apps">): Promise<string> {
  const server = createServer({ listen: ["127.0.0.1:0"], ...config }, { directory: here, log: silentLog });
  t.after(() => server.stop(0));
  return `${(await server.start())[0]}`;
}

/** What a gateway of ours gets from a server that told its address. */
async function through(t: TestContext, told: string, path: string, body?: string): Promise<string> {
  const [, protocol = "", place = ""] = /^(\w+):\/\/(.*)$/.exec(told) ?? [];
  const app = Object.fromEntries([[protocol, place]]) as unknown as Config["apps"][string];
  const url = protocol === "http" ? told : await started(t, { apps: { app } });
  return (await fetch(url + path, body === undefined ? {} : { method: "POST", body })).text();
}

test("a WSGI app listens in four ways at once, on TCP and Unix sockets with their mode", async (t) => {
  const args = [
    "--http",
    "127.0.0.1:0",
    "--fastcgi",
    "127.0.0.1:0",
    "--scgi",
    "unix:s.sock",
    "--uwsgi",
    "unix:u.sock",
  ];
  const server = await serve(["hello:app", ...args, "--unix-mode", "600"], { cwd: here });
  t.after(() => server.stop());
  await server.sees(/^listening on uwsgi:\S+\n/m);
  const told = [...server.stderr.matchAll(/^listening on (\S+)$/gm)].map(([, address]) => `${address}`);
  assert.deepEqual(told.slice(2), [`scgi://unix:${here}/s.sock`, `uwsgi://unix:${here}/u.sock`]);
  for (const address of told) assert.equal(await through(t, address, "/x", "hello"), "|/x|hello");
});

test("as a CGI program it answers one request for its app, and standard output has nothing else", async (t) => {
  const url = await started(t, { apps: { cgi: { cgi: "." } } });
  const response = await fetch(`${url}/site.cgi/x`, { method: "POST", body: "hello" });
  assert.equal(await response.text(), "/site.cgi|/x|hello");
  assert.equal(response.status, 200);
});

test("as a CGI program it answers 500 for an app that fails, with the traceback on standard error only", () => {
  const env = { ...process.env, ...CGI };
  const run = spawnSync(join(here, "broken.cgi"), { cwd: here, env, encoding: "utf8", timeout: 60_000 });
  assert.match(run.stdout, /^Status: 500 [\s\S]*\r\n\r\n500 .*\nERR_SALLYPORT_APP_IMPORT\n$/);
  assert.match(run.stderr, /No module named 'no_such_thing'/);
  assert.equal(run.status, 0);
});

const CGI = {
  GATEWAY_INTERFACE: "CGI/1.1",
  REQUEST_METHOD: "GET",
  SERVER_PROTOCOL: "HTTP/1.1",
  SCRIPT_NAME: "/app",
};

test("as a CGI program it takes no notice of addresses and the access log of its configuration", () => {
  const env = { ...process.env, ...CGI, PATH_INFO: "/x" };
  const run = spawnSync(process.execPath, [BIN, "serve"], {
    cwd: here,
    env,
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.match(run.stdout, /^Status: 200 OK\r\n[\s\S]*\r\n\r\n\/app\|\/x\|$/);
  assert.equal(run.status, 0);
});

test("an address on the command line makes a server of it, with any environment", async (t) => {
  const server = await serve(["hello:app", "--http", "127.0.0.1:0"], { cwd: here, env: CGI });
  t.after(() => server.stop());
  assert.equal(await through(t, server.url, "/x"), "|/x|");
});

/** Starts `sallyport serve` without a word about addresses, with sockets that are closed here afterwards. */
async function handed(
  t: TestContext,
  command: readonly string[],
  take: (fds: number[]) => ServeOptions,
): Promise<Served> {
  const sockets = [createSocket().listen(0, "127.0.0.1"), createSocket().listen(0, "127.0.0.1")];
  await Promise.all(sockets.map((socket) => once(socket, "listening")));
  const fds = sockets.map((socket) => (socket as unknown as { _handle: { fd: number } })._handle.fd);
  const server = await serveBy(command, { cwd: here, ...take(fds) });
  t.after(() => server.stop());
  for (const socket of sockets) socket.close();
  return server;
}

test("with a listening socket as descriptor 0 it is a FastCGI application", async (t) => {
  const command = [process.execPath, BIN, "serve", "hello:app"];
  const server = await handed(t, command, ([stdin = -1]) => ({ stdin }));
  assert.match(server.url, /^fastcgi:/);
  assert.equal(await through(t, server.url, "/x", "hello"), "|/x|hello");
});

test("with sockets of systemd it listens there, instead of where its configuration says", async (t) => {
  const command = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", process.execPath, BIN, "serve"];
  const env = { LISTEN_FDS: "2", LISTEN_FDNAMES: "web:uwsgi" };
  const server = await handed(t, command, (passed) => ({ passed, env }));
  const [, http = "", uwsgi = ""] = await server.sees(/^listening on (http:\S+)\nlistening on (uwsgi:\S+)$/m);
  assert.equal(await through(t, http, "/x"), "|/x|");
  assert.equal(await through(t, uwsgi, "/x"), "|/x|");
});
