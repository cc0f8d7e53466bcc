// Every function that the package gives says what is wrong with its arguments: by its own name, with what is expected,
// and when it is called rather than at a request.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FastResponse, loadApp } from "../../src/apps/index.ts";
import { type Gateway, silentLog } from "../../src/exchange/index.ts";
import * as library from "../../src/index.ts";
import { fastcgiListener } from "../../src/protocols/fastcgi/index.ts";
import { http2Listener } from "../../src/protocols/http2/index.ts";
import { scgiListener } from "../../src/protocols/scgi/index.ts";
import { uwsgiListener } from "../../src/protocols/uwsgi/index.ts";

type Anything = (...given: unknown[]) => unknown;
const all: Readonly<Record<string, unknown>> = {
  ...library,
  ...{ loadApp, fastcgiListener, http2Listener, scgiListener, uwsgiListener },
};
const call = (name: string, ...given: unknown[]): unknown => (all[name] as Anything)(...given);
const gateway: Gateway = { handle: () => {} };
const handler = () => new Response("x");
const listener = { handler: () => {}, log: silentLog };
const AN_APP = 'the name of a Python application such as "shop:app"';
const ADDRESS = 'an address such as "127.0.0.1:9000" or "unix:/run/app.sock", or a list of them';
const TIMEOUT_TOO_LONG = "timeout must be a number of seconds such as 30, at most 24 days, not Infinity";
const ours = { program: false } as const;

/** The function, its arguments, and what is said of them. */
const WRONG: readonly [string, unknown[], string][] = [
  ["wsgi", [], `the first argument must be ${AN_APP}, not undefined`],
  ["wsgi", [handler], `the first argument must be ${AN_APP}, not a function`],
  ["wsgi", ["shop:app", 4], "the options must be an object such as { threads: 4 }, not 4"],
  ["wsgi", ["shop:app", { thread: 4 }], "unknown option thread; did you mean threads?"],
  ["wsgi", ["shop:app", { threads: "two" }], 'threads must be a whole number from 1, not "two"'],
  [
    "wsgi",
    ["shop:app", { timeout: "30s" }],
    'timeout must be a number of milliseconds such as 30000, at most 24 days, not "30s"',
  ],
  ["wsgi", ["shop:app", { mode: "deamon" }], 'mode must be "daemon" or "embedded", not "deamon"'],
  ["wsgi", ["shop:app", { path: "lib" }], 'path must be a list of texts, not "lib"'],
  ["wsgi", ["shop:app", { env: { A: 1 } }], "env must be an object of texts by their names, not an object"],
  [
    "wsgi",
    ["shop:app", { log: console.log }],
    "log must be an object with the methods debug, info, warn and error, not a function",
  ],
  ["asgi", [7], `the first argument must be ${AN_APP}, not 7`],
  ["asgi", ["shop:app", { thread: 2 }], "unknown option thread"],
  [
    "asgi",
    ["shop:app", { lifespan: true, loop: "uv" }],
    'lifespan must be "auto" or "on" or "off", not true; loop must be "auto" or "asyncio" or "uvloop", not "uv"',
  ],
  ["cgi", ["cgi-bin"], 'the options must be an object such as { program: "cgi-bin" }, not "cgi-bin"'],
  ["cgi", [{}], "program must be a text that is not empty, not undefined"],
  ["cgi", [{ program: "x", interpreter: {} }], "unknown option interpreter; did you mean interpreters?"],
  [
    "fastcgi",
    ["127.0.0.1:9000"],
    'the options must be an object such as { address: "127.0.0.1:9000" }, not "127.0.0.1:9000"',
  ],
  ["fastcgi", [{ adress: "x:1" }], "unknown option adress; did you mean address?"],
  ["fastcgi", [{ address: 9000 }], `address must be ${ADDRESS}, not 9000`],
  ["fastcgi", [{ command: "php-cgi" }], 'command must be a list of texts, not "php-cgi"'],
  [
    "fastcgi",
    [{ address: "x:1", authorizer: { conections: 1 } }],
    "unknown option authorizer.conections; did you mean authorizer.connections?",
  ],
  [
    "authorized",
    [{ address: "x:1" }],
    'the second argument must be a gateway, such as wsgi("shop:app"), not undefined',
  ],
  ["scgi", [], 'the options must be an object such as { address: "127.0.0.1:9000" }, not undefined'],
  ["scgi", [{}], `address must be ${ADDRESS}, not undefined`],
  ["uwsgi", [{ address: "x:1", queue: -1 }], "queue must be a whole number from 0, not -1"],
  ["staticFiles", ["public"], 'the options must be an object such as { directory: "public" }, not "public"'],
  ["staticFiles", [{ dir: "public" }], "unknown option dir"],
  ["staticFiles", [{ directory: 5 }], "directory must be a text that is not empty, not 5"],
  [
    "staticFiles",
    [{ directory: "x", maxAge: "1d" }],
    'maxAge must be a number of seconds such as 30, not "1d"',
  ],
  [
    "staticFiles",
    [{ directory: "x", maxAge: Number.POSITIVE_INFINITY }],
    "maxAge must be a number of seconds such as 30, not Infinity",
  ],
  [
    "staticFiles",
    [{ directory: "x", fallthrough: true }],
    'fallthrough must be a gateway, such as wsgi("shop:app"), not true',
  ],
  [
    "staticFiles",
    [{ directory: "x", fallthrough: handler }],
    'fallthrough must be a gateway, such as wsgi("shop:app"), not a function; nodeApp() and fetchApp() make gateways of such',
  ],
  ["nodeApp", [{ callback() {} }], "not an object"],
  ["nodeApp", [handler, { timout: 1 }], "unknown option timout; did you mean timeout?"],
  ["nodeApp", [handler, { timeout: Number.POSITIVE_INFINITY }], TIMEOUT_TOO_LONG],
  ["fetchApp", [handler, { timeout: 2_147_484 }], "at most 24 days, not 2147484"],
  ["loadApp", ["./app.js", { timeout: Number.POSITIVE_INFINITY }], TIMEOUT_TOO_LONG],
  ["fetchApp", [], "not undefined"],
  ["fetchApp", [FastResponse], "not a class; give an instance of it"],
  ["loadApp", [{}], 'the first argument must be the path of a module such as "./app.ts", not an object'],
  ...["toNodeHandler", "toFetchHandler", "toUpgradeHandler"].flatMap(
    (name): [string, unknown[], string][] => [
      [name, [], 'the first argument must be a gateway, such as wsgi("shop:app"), not undefined'],
      [name, ["shop:app"], 'the first argument must be a gateway, such as wsgi("shop:app"), not "shop:app"'],
      [name, [Promise.resolve(gateway)], "not a promise; await it first"],
      [name, [{ fetch: handler }], "not an object with a fetch method; fetchApp() makes a gateway of it"],
      [name, [gateway, "/ml"], 'the options must be an object such as { mount: "/ml" }, not "/ml"'],
      [name, [gateway, { mout: "/ml" }], "unknown option mout; did you mean mount?"],
      [name, [gateway, { mount: 5 }], "mount must be a text, not 5"],
    ],
  ),
  ["toNodeHandler", [gateway, { fallthrough: gateway }], "fallthrough must be true or false, not an object"],
  [
    "toUpgradeHandler",
    [gateway, { limits: { mesage: 1 } }],
    "unknown option limits.mesage; did you mean limits.message?",
  ],
  ...["httpListener", "http2Listener", "fastcgiListener", "scgiListener", "uwsgiListener"].flatMap(
    (name): [string, unknown[], string][] => [
      [name, [], "the options must be an object such as { handler, log }, not undefined"],
      [
        name,
        [{ ...listener, handler: gateway }],
        "handler must be a function that gets every exchange, such as (exchange) => gateway.handle(exchange), not an object",
      ],
      [
        name,
        [{ handler: () => {} }],
        "log must be an object with the methods debug, info, warn and error, not undefined",
      ],
      [name, [{ ...listener, limit: {} }], "unknown option limit; did you mean limits?"],
    ],
  ),
  [
    "createServer",
    [{ apps: { x: gateway } }, "/srv"],
    'the options must be an object such as { directory: "/srv/site" }, not "/srv"',
  ],
  [
    "createServer",
    [{ apps: { x: gateway } }, { dirctory: "x" }],
    "unknown option dirctory; did you mean directory?",
  ],
  ["serve", [undefined, ours], "(Express, Koa, Fastify), or a gateway, not undefined"],
  ["serve", ["shop:app", ours], 'or a gateway, not "shop:app"'],
  ["serve", [gateway, { ...ours, lisen: [8000] }], "unknown option lisen; did you mean listen?"],
  ["serve", [gateway, { ...ours, apps: {} }], "unknown option apps"],
  ["serve", [handler, { ...ours, timeout: "soon" }], "timeout: must be a time such as"],
];

for (const [name, given, message] of WRONG) {
  const text = given.map((value) => JSON.stringify(value) ?? typeof value).join(", ");
  test(`${name}(${text}) is refused, with the reason: ${message}`, async () => {
    await assert.rejects(
      async () => call(name, ...given),
      (error: library.SallyportError) => {
        assert.equal(error.code, "ERR_SALLYPORT_CONFIG_INVALID", error.stack);
        assert.ok(error.message.startsWith(`${name}(): `), error.message);
        assert.ok(error.message.endsWith(message) || error.message.includes(`${message} `), error.message);
        return true;
      },
    );
  });
}

test("every function of the package that takes something is in the table", () => {
  const tried = new Set(WRONG.map(([name]) => name));
  const functions = Object.entries(library).filter(([, value]) => typeof value === "function");
  // The error itself, and what gives its argument back for a type checker to look at.
  const others = new Set(["SallyportError", "defineConfig"]);
  assert.deepEqual(
    functions.map(([name]) => name).filter((name) => !tried.has(name) && !others.has(name)),
    [],
  );
});

describe("{ app: a gateway }", () => {
  const served = (app: object) => ({ apps: { app }, listen: ["127.0.0.1:0"] as string[] });
  const create = (app: object) => library.createServer(served(app) as library.Config, { log: silentLog });

  test("is served like the gateway alone", async (t) => {
    const files = library.staticFiles({ directory: import.meta.dirname });
    const server = create({ app: files });
    t.after(() => server.stop(0));
    const [url] = await server.start();
    const { status } = await fetch(`${url}/checks.test.ts`);
    assert.equal(status, 200);
  });

  test("with a timeout, which it cannot have, is refused with what to do", async () => {
    await assert.rejects(create({ app: gateway, timeout: 5 }).start(), {
      code: "ERR_SALLYPORT_CONFIG_INVALID",
      message: /the app is a gateway, of which no timeout can be said/,
    });
  });
});
