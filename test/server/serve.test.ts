// One TypeScript file, started in all the ways in which web servers start programs.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { renameSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createSocket, type ListenOptions } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import Koa from "koa";
import type { Config } from "../../src/config/config.ts";
import { type Gateway, silentLog } from "../../src/exchange/index.ts";
import { createServer } from "../../src/server/create.ts";
import { addressesIn, type ServedApp, serve } from "../../src/server/serve.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { type Served, type ServeOptions, serveBy } from "../kit/serve.ts";

const cwd = fileURLToPath(new URL("../..", import.meta.url));
const HELLO = "examples/serve-hello.ts";
const ECHO = "test/server/programs/echo.ts";
const IDLE = "test/server/programs/idle.ts";
const NODE = [process.execPath, "--import", "tsx"];

const directory = makeFolder();

/** Starts the file as a server that ends with the test. */
async function program(
  t: TestContext,
  command: readonly string[],
  options: ServeOptions = {},
): Promise<Served> {
  const served = await serveBy(command, { cwd, ...options });
  t.after(() => served.stop());
  return served;
}

/** The answer of the printed `address` to a request for `path`. */
async function ask(t: TestContext, address: string, path: string): Promise<string> {
  const [, protocol = "", place = ""] = /^(\w+):\/\/(.*)$/.exec(address) ?? [];
  if (protocol === "http") return (await fetch(address + path)).text();
  const app = { [protocol]: place } as Config["apps"][string];
  const front = createServer({ listen: ["127.0.0.1:0"], apps: { app } }, { log: silentLog });
  t.after(() => front.stop(0));
  const [url] = await front.start();
  return (await fetch(url + path)).text();
}

/** A listening socket to pass on, as a web server or systemd does. Once that was done it is to be closed here. */
async function listening(options: ListenOptions): Promise<{ fd: number; close(): void }> {
  const server = createSocket((socket) => socket.destroy()).listen(options);
  await once(server, "listening");
  return {
    fd: (server as unknown as { _handle: { fd: number } })._handle.fd,
    close: () => void server.close(),
  };
}

const CGI = {
  ...process.env,
  GATEWAY_INTERFACE: "CGI/1.1",
  SERVER_PROTOCOL: "HTTP/1.1",
  SERVER_NAME: "localhost",
  SERVER_PORT: "80",
  SCRIPT_NAME: "/app",
  PATH_INFO: "/x",
  QUERY_STRING: "name=CGI",
  REQUEST_METHOD: "GET",
};

/** Runs the file as a CGI program. */
function asCgi(file: string, env: Record<string, string> = {}, input = "") {
  const [node = "", ...options] = NODE;
  return spawnSync(node, [...options, file], {
    cwd,
    input,
    encoding: "utf8",
    timeout: 60_000,
    env: { ...CGI, ...env },
  });
}

test("started by hand, the file is an HTTP server at PORT, and ends in good order", async (t) => {
  const server = await program(t, [...NODE, HELLO], { env: { PORT: "0" } });
  assert.equal(await ask(t, server.url, "/?name=HTTP"), "Hello, HTTP!\n");
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  assert.match(
    server.stderr,
    new RegExp(`^[^\\n]+ · ${server.url}\\nlistening on ${server.url}\\nstopped\\n$`),
  );
});

test("arguments name protocols and addresses, several at once, before everything else", async (t) => {
  const args = ["--http", "--fastcgi", "--scgi", "--uwsgi"].flatMap((option) => [option, "127.0.0.1:0"]);
  const env = { ...CGI, PORT: "1" } as Record<string, string>;
  const server = await program(t, [...NODE, HELLO, ...args, "--own", "x"], { env });
  await server.sees(/uwsgi:.*\n/);
  const urls = [...server.stderr.matchAll(/^listening on (\S+)$/gm)].map(([, url]) => `${url}`);
  assert.deepEqual(
    urls.map((url) => url.slice(0, url.indexOf(":"))),
    ["http", "fastcgi", "scgi", "uwsgi"],
  );
  for (const url of urls) assert.equal(await ask(t, url, "/?name=you"), "Hello, you!\n");
});

test("with a listening TCP socket as descriptor 0 the file is a FastCGI application", async (t) => {
  const socket = await listening({ host: "127.0.0.1", port: 0 });
  const server = await program(t, [...NODE, HELLO], { stdin: socket.fd });
  socket.close();
  assert.match(server.url, /^fastcgi:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(await ask(t, server.url, "/?name=FastCGI"), "Hello, FastCGI!\n");
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

test("with a listening Unix socket as descriptor 0, too", async (t) => {
  const path = join(directory, "zero.sock");
  const socket = await listening({ path: `${path}.new` });
  renameSync(`${path}.new`, path); // closing it removes the path that it was bound to
  const server = await program(t, [...NODE, HELLO], { stdin: socket.fd });
  socket.close();
  assert.equal(server.url, "fastcgi://fd:0");
  assert.equal(await ask(t, `fastcgi://unix:${path}`, "/?name=FastCGI"), "Hello, FastCGI!\n");
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

test("with sockets of systemd the file listens there, for the protocol that each is named after", async (t) => {
  const sockets = [
    await listening({ host: "127.0.0.1", port: 0 }),
    await listening({ host: "127.0.0.1", port: 0 }),
  ];
  // systemd sets LISTEN_PID after the fork, when it is known.
  const command = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", ...NODE, HELLO];
  const env = { LISTEN_FDS: "2", LISTEN_FDNAMES: "web:scgi" };
  const server = await program(t, command, { passed: sockets.map(({ fd }) => fd), env });
  for (const socket of sockets) socket.close();
  const [, first = "", second = ""] = await server.sees(
    /^listening on (http:\S+)\nlistening on (scgi:\S+)$/m,
  );
  assert.equal(await ask(t, first, "/?name=web"), "Hello, web!\n");
  assert.equal(await ask(t, second, "/?name=SCGI"), "Hello, SCGI!\n");
});

test("in the environment of a CGI program the file answers one request and ends", () => {
  const { status, stdout, stderr } = asCgi(HELLO);
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, /^Status: 200 OK\r\n[\s\S]*\r\n\r\nHello, CGI!\n$/);
});

test("as a CGI program named nph-... it writes the whole response of HTTP", () => {
  const { status, stdout } = asCgi(HELLO, { SCRIPT_FILENAME: "/srv/nph-hello" });
  assert.match(stdout, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nHello, CGI!\n$/);
  assert.equal(status, 0);
});

test("as a CGI program it gets its body from standard input, and what it prints later goes to standard error", () => {
  const env = { REQUEST_METHOD: "POST", CONTENT_LENGTH: "5", CONTENT_TYPE: "text/plain" };
  const { status, stdout, stderr } = asCgi(ECHO, env, "hello");
  assert.match(
    stdout,
    /^before the server\nStatus: 200 OK\r\n[\s\S]*\r\n\r\nPOST http:\/\/localhost\/app\/x\?name=CGI hello$/,
  );
  assert.deepEqual([status, stderr], [0, "a line of the app\n"]);
});

test("as a CGI program it ends with its response, even when the app would keep the process", () => {
  const { status, stdout } = asCgi(IDLE);
  assert.match(stdout, /still here$/);
  assert.equal(status, 0);
});

test("a failure to start is one message without a stack, and the exit code says of which kind it is", () => {
  const [node = "", ...options] = NODE;
  for (const [args, code, message] of [
    [
      ["--http", "192.0.2.1:80"],
      1,
      /^sallyport: cannot listen at http:\/\/192\.0\.2\.1:80: .*\[ERR_SALLYPORT_ADDRESS_UNUSABLE\]\n$/,
    ],
    [
      ["--scgi", "nowhere"],
      2,
      /^sallyport: --scgi must be followed by HOST:PORT, .*\[ERR_SALLYPORT_USAGE\]\n$/,
    ],
  ] as const) {
    const run = spawnSync(node, [...options, HELLO, ...args], { cwd, encoding: "utf8", timeout: 60_000 });
    assert.match(run.stderr, message);
    assert.deepEqual([run.status, run.stdout], [code, ""]);
  }
});

// Without a program of its own: inside of this very process.

const handler = (_req: IncomingMessage, res: ServerResponse): void => void res.end("node");
const gateway: Gateway = {
  handle: (exchange) => exchange.respond({ status: 200, reason: "", headers: [] }, "gateway"),
};

const APPS: [string, ServedApp][] = [
  ["fetch function", () => new Response("fetch function")],
  ["Hono", new Hono().get("/", (c) => c.text("Hono"))],
  ["Express", express().get("/", (_req, res) => void res.send("Express"))],
  [
    "Koa",
    new Koa().use((context) => {
      context.body = "Koa";
    }),
  ],
  ["Fastify", fastify().get("/", async () => "Fastify")],
  ["node", handler],
  ["gateway", gateway],
];

for (const [name, app] of APPS) {
  test(`serves an unmodified app: ${name}`, async () => {
    const served = await serve(app, { listen: ["127.0.0.1:0"], program: false });
    assert.equal(await (await fetch(`${served.urls[0]}`)).text(), name);
    await served.stop();
    await assert.rejects(fetch(`${served.urls[0]}`));
  });
}

test("program: false leaves signals alone and rejects when it cannot start", async () => {
  const listeners = (): number[] =>
    ["SIGTERM", "SIGINT", "SIGHUP"].map((name) => process.listenerCount(name));
  const before = listeners();
  const served = await serve(handler, { listen: ["127.0.0.1:0"], program: false });
  assert.deepEqual(listeners(), before);
  const [url] = served.urls;
  await assert.rejects(serve(handler, { listen: [`${url}`], program: false }), {
    code: "ERR_SALLYPORT_ADDRESS_UNUSABLE",
  });
  await assert.rejects(serve({}, { listen: ["127.0.0.1:0"], program: false }), {
    code: "ERR_SALLYPORT_CONFIG_INVALID",
  });
  await assert.rejects(
    serve(URL, { listen: ["127.0.0.1:0"], program: false }),
    /the app is a class; export an instance/,
  );
  await served.stop();
});

test("options that are wrong are named", async () => {
  await assert.rejects(
    serve(handler, { listen: ["here"], program: false }),
    /^SallyportError: serve\(\): listen\[0\]: must be/,
  );
});

const ARGUMENTS: [string[], unknown[]][] = [
  [[], []],
  [["--verbose", "-x", "--port", "1", "file"], []],
  [["--fastcgi", "9000"], [{ protocol: "fastcgi", kind: "tcp", host: "127.0.0.1", port: 9000 }]],
  [["--scgi=unix:a"], [{ protocol: "scgi", kind: "unix", path: "a" }]],
  [
    ["--http", "fd:3", "--http", "fd:4"],
    [
      { protocol: "http", kind: "fd", fd: 3 },
      { protocol: "http", kind: "fd", fd: 4 },
    ],
  ],
  [["--", "--http", "fd:3"], []],
];

for (const [args, addresses] of ARGUMENTS) {
  test(`the arguments ${args.join(" ") || "(none)"} name ${addresses.length} addresses`, () =>
    assert.deepEqual(addressesIn(args), addresses));
}

for (const args of [["--http"], ["--http="], ["--uwsgi", "localhost"]])
  test(`the arguments ${args.join(" ")} are refused`, () =>
    assert.throws(() => addressesIn(args), { code: "ERR_SALLYPORT_USAGE" }));
