import assert from "node:assert/strict";
import { test } from "node:test";
import { defineConfig } from "../../src/config/config.ts";
import { checkConfig } from "../../src/config/errors.ts";
import { DISK_LIMIT } from "../../src/exchange/disk.ts";
import type { SallyportError } from "../../src/exchange/index.ts";
import { HTTP_LIMITS } from "../../src/http/limits.ts";
import { isGateway } from "../../src/options/checks.ts";
import { FORWARDED_FIELDS } from "../../src/proxies/forwarded.ts";

const APPS = { shop: { wsgi: "shop:app" } };

/** The lines that name what is wrong. */
function problems(value: unknown): string[] {
  try {
    checkConfig(value, { name: "c", lineOf: () => undefined });
  } catch (error) {
    const { message, detail } = error as SallyportError;
    return detail === undefined ? [message] : detail.split("\n");
  }
  return [];
}

test("a file may be kept for a year, which is longer than a server can wait for anything", () => {
  const config = (more: object) => checkConfig({ apps: { app: { static: ".", ...more } } });
  assert.equal((config({ maxAge: "1y" }).apps.app as { maxAge?: number }).maxAge, 31_536_000_000);
  assert.throws(
    () => checkConfig({ apps: { app: { wsgi: "x", timeout: "1y" } } }),
    /at most 24 days, not "1y"/,
  );
});

test("the smallest configuration gets every default", () => {
  const settings = checkConfig(defineConfig({ apps: APPS }));
  assert.deepEqual(settings, {
    listen: [{ protocol: "http", kind: "tcp", host: "127.0.0.1", port: 8000 }],
    apps: APPS,
    trust: [],
    forwarded: FORWARDED_FIELDS,
    limits: { ...HTTP_LIMITS, temporary: DISK_LIMIT },
    log: { level: "info", format: "text", accessFormat: "extended" },
    serverProcesses: 1,
    serverProcessTimeout: 30_000,
    grace: 30_000,
  });
});

test("trusted proxies become rules, and each address says whether connections begin with a PROXY header", () => {
  const { trust, forwarded, listen } = checkConfig({
    listen: [
      { address: "fastcgi://unix:/run/a.sock", proxyProtocol: true },
      { address: "8001", proxyProtocol: false },
    ],
    apps: APPS,
    trust: ["10.0.0.0/8", "unix:", "*"],
    forwarded: ["x-forwarded-for"],
  });
  assert.deepEqual(trust, [
    { kind: "range", address: "10.0.0.0", bits: 8 },
    { kind: "unix" },
    { kind: "all" },
  ]);
  assert.deepEqual(forwarded, ["x-forwarded-for"]);
  assert.deepEqual(listen, [
    { protocol: "fastcgi", kind: "unix", path: "/run/a.sock", proxyProtocol: true },
    { protocol: "http", kind: "tcp", host: "127.0.0.1", port: 8001, proxyProtocol: false },
  ]);
});

test("a proxy that is not an address, and an unknown header, are reported with their place", () => {
  assert.deepEqual(problems({ apps: APPS, trust: ["127.0.0.1", "localhost"] }), [
    'c: trust[1]: must be an address such as "127.0.0.1", a range such as "10.0.0.0/8", "unix:" (peers over Unix sockets) or "*", not "localhost"',
  ]);
  const [problem = ""] = problems({ apps: APPS, forwarded: ["x-real-ip"] });
  assert.match(
    problem,
    /^c: forwarded\[0\]: must be one of "forwarded", "x-forwarded-for", .*, not "x-real-ip"$/,
  );
});

test("sizes become bytes, times milliseconds, modes numbers and addresses objects", () => {
  const settings = checkConfig({
    listen: [{ address: "unix:/run/a.sock", mode: "660", owner: "www" }, "8001"],
    apps: { shop: { wsgi: "shop:app", timeout: "1m" } },
    limits: { body: "10M", headTimeout: 5 },
    grace: "500ms",
  });
  assert.deepEqual(settings.listen, [
    { protocol: "http", kind: "unix", path: "/run/a.sock", mode: 0o660, owner: "www" },
    { protocol: "http", kind: "tcp", host: "127.0.0.1", port: 8001 },
  ]);
  assert.deepEqual(settings.apps.shop, { wsgi: "shop:app", timeout: 60_000 });
  assert.equal(settings.limits.body, 10 * 2 ** 20);
  assert.equal(settings.limits.headTimeout, 5000);
  assert.equal(settings.grace, 500);
});

test("a mask may be 0, also of an app; one of two digits may mean another number, and is refused", () => {
  const settings = checkConfig({ umask: 0, apps: { shop: { wsgi: "shop:app", umask: "0" } } });
  assert.deepEqual([settings.umask, settings.apps.shop], [0, { wsgi: "shop:app", umask: 0 }]);
  assert.deepEqual(problems({ apps: APPS, umask: 22 }), [
    'c: umask: must be an octal mask in quotes, such as "027", not 22',
  ]);
});

test("addresses of applications are texts, lists, or for FastCGI a section with a command", () => {
  const { apps } = checkConfig({
    apps: {
      one: { fastcgi: "unix:/run/a.sock", timeout: "1m" },
      two: { php: "site", fastcgi: { command: ["php-cgi"], processes: 2 }, index: ["a.php"] },
      three: { scgi: ["127.0.0.1:9000", "[::1]:9000"], idleTimeout: 1 },
      four: { uwsgi: "host:3031", variables: { A: "b" } },
    },
    routes: [{ app: "one" }],
  });
  assert.deepEqual(apps, {
    one: { fastcgi: "unix:/run/a.sock", timeout: 60_000 },
    two: { php: "site", fastcgi: { command: ["php-cgi"], processes: 2 }, index: ["a.php"] },
    three: { scgi: ["127.0.0.1:9000", "[::1]:9000"], idleTimeout: 1000 },
    four: { uwsgi: "host:3031", variables: { A: "b" } },
  });
});

test("limits of other protocols are kept as far as they are written, in bytes and milliseconds", () => {
  const { limits } = checkConfig({
    apps: APPS,
    limits: { fastcgi: { params: "1K" }, scgi: { headTimeout: 2 } },
  });
  assert.deepEqual(limits, {
    ...HTTP_LIMITS,
    temporary: DISK_LIMIT,
    fastcgi: { params: 1024 },
    scgi: { headTimeout: 2000 },
  });
});

test("a framework that has a method handle is no gateway, and an app as it is", () => {
  const express = Object.assign(() => {}, { handle: () => {} });
  assert.equal(checkConfig({ apps: { mine: { app: express } } }).apps.mine && isGateway(express), false);
});

test("a gateway made by code is an app as it is", () => {
  const gateway = { handle: () => {} };
  assert.equal(checkConfig({ apps: { mine: gateway } }).apps.mine, gateway);
});

const BAD: [string, unknown, string[]][] = [
  ["nothing", undefined, ["c: is missing"]],
  ["a list", [], ["c: must be a section of keys, not a list"]],
  ["no apps", {}, ["c: apps: is missing"]],
  ["an empty section of apps", { apps: {} }, ["c: apps: must have at least one app"]],
  [
    "two kinds of app in one",
    { apps: { shop: { wsgi: "shop:app", cgi: "cgi-bin" } } },
    ["c: apps.shop.cgi: an app is of one kind, and another key names it already; make two apps of it"],
  ],
  [
    "a configuration of NGINX Unit",
    { listeners: { "*:80": { pass: "routes" } }, routes: [{ action: { return: 404 } }], applications: {} },
    ["c: this is a configuration of NGINX Unit; docs/moving.md has its keys and ours, side by side"],
  ],
  ["an unknown key", { apps: APPS, graze: 3 }, ["c: graze: unknown key; did you mean grace?"]],
  ["an unknown key far from all known ones", { apps: APPS, colour: 3 }, ["c: colour: unknown key"]],
  [
    "an unknown key in an app",
    { apps: { shop: { wsgi: "a:b", procesess: 2 } } },
    ["c: apps.shop.procesess: unknown key; did you mean processes?"],
  ],
  [
    "an app of no kind",
    { apps: { shop: { wgsi: "a:b" } } },
    [
      "c: apps.shop: must have one of the keys wsgi, asgi, callable, cgi, static, answer, redirect, module, app, php, fastcgi, scgi, uwsgi; did you mean wsgi?",
    ],
  ],
  [
    "options of the other interface",
    { apps: { shop: { wsgi: "a:b", loop: "uvloop" }, chat: { asgi: "a:b", threads: 2, lifespan: "maybe" } } },
    [
      "c: apps.shop.loop: unknown key",
      'c: apps.chat.lifespan: must be one of "auto", "on", "off", not "maybe"',
      "c: apps.chat.threads: unknown key",
    ],
  ],
  [
    "an app that is null",
    { apps: { shop: null } },
    [
      "c: apps.shop: must have one of the keys wsgi, asgi, callable, cgi, static, answer, redirect, module, app, php, fastcgi, scgi, uwsgi",
    ],
  ],
  [
    "an app's key of a wrong type",
    { apps: { shop: { wsgi: 5 } } },
    ["c: apps.shop.wsgi: must be a text, not 5"],
  ],
  ["an empty name", { apps: { shop: { wsgi: "" } } }, ["c: apps.shop.wsgi: must not be empty"]],
  [
    "numbers out of range",
    { apps: { shop: { wsgi: "a:b", processes: 0, threads: 1.5, queue: 1e9 } } },
    [
      "c: apps.shop.processes: must be at least 1",
      "c: apps.shop.threads: must be a whole number, not 1.5",
      "c: apps.shop.queue: must be at most 1000000",
    ],
  ],
  [
    "environment variables that are none",
    { apps: { shop: { wsgi: "a:b", env: { "A=B": "x", C: 5 } } } },
    ["c: apps.shop.env.A=B: is not a name that may stand here", "c: apps.shop.env.C: must be a text, not 5"],
  ],
  [
    "a size and a time that are none",
    { apps: APPS, limits: { body: "1X", headTimeout: "soon" } },
    [
      'c: limits.body: must be a size such as 65536, 64K or 10M, not "1X"',
      'c: limits.headTimeout: must be a time such as 30 (seconds), 500ms, 2m or 1d, at most 24 days, and more than 0, not "soon"',
    ],
  ],
  [
    "an address that is none",
    { apps: APPS, listen: ["localhost"] },
    [
      'c: listen[0]: must be an address such as "127.0.0.1:8000", "[::1]:8000", "unix:/run/app.sock", "fd:3" or "fastcgi://127.0.0.1:9000"',
    ],
  ],
  [
    "an address with a protocol that is none",
    { apps: APPS, listen: ["gopher://127.0.0.1:70"] },
    [
      'c: listen[0]: must be an address such as "127.0.0.1:8000", "[::1]:8000", "unix:/run/app.sock", "fd:3" or "fastcgi://127.0.0.1:9000"',
    ],
  ],
  [
    "an application's address that is none",
    { apps: { shop: { scgi: "localhost" } } },
    ['c: apps.shop.scgi: must be an address such as "unix:/run/app.sock" or "127.0.0.1:9000"'],
  ],
  [
    "a FastCGI application that is nowhere",
    { apps: { shop: { fastcgi: "9000" } } },
    [
      'c: apps.shop.fastcgi: must be an address such as "unix:/run/app.sock" or "127.0.0.1:9000", a list of them, or a section with a command',
    ],
  ],
  [
    "a FastCGI application without a command",
    { apps: { shop: { fastcgi: { command: [] } } } },
    ["c: apps.shop.fastcgi.command: must be at least 1 long"],
  ],
  [
    "unknown keys of a command",
    { apps: { shop: { php: "site", fastcgi: { command: ["php-cgi"], proceses: 2 } } } },
    ["c: apps.shop.fastcgi.proceses: unknown key; did you mean processes?"],
  ],
  [
    "an unknown key of PHP",
    { apps: { shop: { php: "site", root: "x" } } },
    ["c: apps.shop.root: unknown key"],
  ],
  [
    "an unknown limit of FastCGI",
    { apps: APPS, limits: { fastcgi: { param: 1 } } },
    ["c: limits.fastcgi.param: unknown key; did you mean params?"],
  ],
  [
    "an app that is none",
    { apps: { shop: { app: "x" } } },
    ["c: apps.shop.app: must be an object or a function"],
  ],
  ["no address", { apps: APPS, listen: [] }, ["c: listen: must be at least 1 long"]],
  [
    "an address section with an unknown key",
    { apps: APPS, listen: [{ address: "unix:/a", mod: "660" }] },
    ["c: listen[0].mod: unknown key; did you mean mode?"],
  ],
  [
    "a log level of another program",
    { apps: APPS, log: { level: "verbose" } },
    ['c: log.level: must be one of "debug", "info", "warn", "error", not "verbose"'],
  ],
  [
    "a path that does not start with a slash",
    { apps: APPS, routes: [{ path: "x", app: "shop" }] },
    ["c: routes[0].path: must start with /"],
  ],
  ["a route without an app", { apps: APPS, routes: [{ path: "/" }] }, ["c: routes[0].app: is missing"]],
  [
    "a route to an app that does not exist",
    { apps: APPS, routes: [{ app: "shops" }] },
    ['c: routes[0].app: there is no app "shops"; did you mean shop?'],
  ],
  [
    "files whose fallback does not exist",
    { apps: { ...APPS, files: { static: "a", fallback: "shops" } }, routes: [{ app: "files" }] },
    ['c: apps.files.fallback: there is no app "shops"; did you mean shop?'],
  ],
  [
    "files whose fallbacks lead back",
    {
      apps: { a: { static: "a", fallback: "b" }, b: { static: "b", fallback: "a" } },
      routes: [{ app: "a" }],
    },
    ["c: apps.a.fallback: leads back to this app", "c: apps.b.fallback: leads back to this app"],
  ],
  [
    "answers and redirects that no client could get",
    {
      apps: {
        a: { answer: 100, headers: { "a b": "", "Content-Length": "1", X: "a\nb" } },
        b: { redirect: "//b.example", status: 200 },
        c: { redirect: "b.example" },
        d: { redirect: "https:///x" },
        e: { redirect: "https://b.example/\u00e9" },
      },
      routes: [{ scheme: "ftp", app: "a" }],
    },
    [
      "c: apps.a.answer: must be at least 200",
      "c: apps.a.headers.a b: is not a name that may stand here",
      "c: apps.a.headers.Content-Length: is not a name that may stand here",
      "c: apps.a.headers.X: must be one line of Latin-1 characters, without control characters",
      'c: apps.b.redirect: must be a URL, a path that begins with one slash, or "https:"',
      "c: apps.b.status: must be one of 301, 302, 303, 307, 308, not 200",
      'c: apps.c.redirect: must be a URL, a path that begins with one slash, or "https:"',
      'c: apps.d.redirect: must be a URL, a path that begins with one slash, or "https:"',
      'c: apps.e.redirect: must be a URL, a path that begins with one slash, or "https:"',
      'c: routes[0].scheme: must be one of "http", "https", not "ftp"',
    ],
  ],
  [
    "redirects whose path cannot be added, or is not left out, and a header that cannot be sent",
    {
      apps: {
        f: { redirect: "https://b.example/?a" },
        g: { redirect: "/a#b", keepPath: true },
        h: { redirect: "https:", keepPath: false },
        i: { answer: 404, headers: { X: "\u20ac" } },
      },
      routes: [{ app: "f" }],
    },
    [
      "c: apps.f.redirect: nothing can be added behind a query or a fragment: say keepPath: false as well",
      "c: apps.g.redirect: nothing can be added behind a query or a fragment: say keepPath: false as well",
      "c: apps.h.keepPath: must be true where only the scheme changes: name a URL to leave the path out",
      "c: apps.i.headers.X: must be one line of Latin-1 characters, without control characters",
    ],
  ],
  [
    "several apps without routes",
    { apps: { a: { static: "a" }, b: { static: "b" } } },
    ["c: routes: is missing: with several apps it must say which answers what"],
  ],
];

for (const [what, value, lines] of BAD) {
  test(`${what}: the error names its key`, () => assert.deepEqual(problems(value), lines));
}

test("all problems are reported at once, each on a line, under their number", () => {
  assert.throws(
    () => checkConfig({ apps: APPS, grase: 1, limits: { bodi: 1 } }),
    (error: SallyportError) => {
      assert.equal(error.code, "ERR_SALLYPORT_CONFIG_INVALID");
      assert.equal(error.message, "the configuration has 2 problems");
      assert.equal(error.detail?.split("\n").length, 2);
      return true;
    },
  );
});
