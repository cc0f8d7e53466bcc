import assert from "node:assert/strict";
import { test } from "node:test";
import type { SallyportError } from "../../src/exchange/index.ts";
import { DEFAULT_LIMITS } from "../../src/protocols/http/limits.ts";
import { defineConfig } from "../../src/server/config.ts";
import { checkConfig } from "../../src/server/problems.ts";

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

test("the smallest configuration gets every default", () => {
  const settings = checkConfig(defineConfig({ apps: APPS }));
  assert.deepEqual(settings, {
    listen: [{ kind: "tcp", host: "127.0.0.1", port: 8000 }],
    apps: APPS,
    limits: DEFAULT_LIMITS,
    log: { level: "info", format: "text" },
    grace: 30_000,
  });
});

test("sizes become octets, times milliseconds, modes numbers and addresses objects", () => {
  const settings = checkConfig({
    listen: [{ address: "unix:/run/a.sock", mode: "660", owner: "www" }, "8001"],
    apps: { shop: { wsgi: "shop:app", timeout: "1m" } },
    limits: { body: "10M", headTimeout: 5 },
    grace: "500ms",
  });
  assert.deepEqual(settings.listen, [
    { kind: "unix", path: "/run/a.sock", mode: 0o660, owner: "www" },
    { kind: "tcp", host: "127.0.0.1", port: 8001 },
  ]);
  assert.deepEqual(settings.apps.shop, { wsgi: "shop:app", timeout: 60_000 });
  assert.equal(settings.limits.body, 10 * 2 ** 20);
  assert.equal(settings.limits.headTimeout, 5000);
  assert.equal(settings.grace, 500);
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
    ["c: apps.shop: must have one of the keys wsgi, cgi, static, module; did you mean wsgi?"],
  ],
  [
    "an app that is null",
    { apps: { shop: null } },
    ["c: apps.shop: must have one of the keys wsgi, cgi, static, module"],
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
      'c: limits.headTimeout: must be a time such as 30 (seconds), 500ms or 2m, not "soon"',
    ],
  ],
  [
    "an address that is none",
    { apps: APPS, listen: ["localhost"] },
    [
      'c: listen[0]: must be an address such as "127.0.0.1:8000", "[::1]:8000", "unix:/run/app.sock" or "fd:3"',
    ],
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
    "several apps without routes",
    { apps: { a: { static: "a" }, b: { static: "b" } } },
    ["c: routes: is missing: with several apps it must say which answers what"],
  ],
];

for (const [what, value, lines] of BAD) {
  test(`${what}: the problem is named with its key`, () => assert.deepEqual(problems(value), lines));
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
