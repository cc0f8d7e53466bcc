// The lines that tell what a server serves, from settings and from what gateways say.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { checkConfig } from "../../src/config/errors.ts";
import { type GatewayStatus, statusWithoutProcesses } from "../../src/exchange/index.ts";
import { summariesOf, summaryText } from "../../src/server/summary.ts";

function linesOf(config: Config, statuses: Readonly<Record<string, GatewayStatus>> = {}): string[] {
  const summaries = summariesOf({ settings: checkConfig(config), directory: "/srv/site" }, statuses);
  return summaries.map((summary) => summaryText(summary, summaries.length === 1));
}

const only = (app: Config["apps"][string], more: object = {}): Config => ({ apps: { shop: app }, ...more });
const PYTHON = { runtime: "CPython 3.12.1", virtualEnvironment: "/srv/site/.venv" };

const status = (name: string, min: number, max: number, more: object = {}): GatewayStatus => ({
  ...statusWithoutProcesses(name),
  bounds: { min, max },
  ...more,
});

const LINES: readonly (readonly [string, Config, GatewayStatus | undefined])[] = [
  [
    "app:app · WSGI · CPython 3.12.1 (.venv) · 1 process",
    only({ wsgi: "app:app" }),
    status("WSGI", 1, 1, PYTHON),
  ],
  [
    "app:app · ASGI · CPython 3.12.1 (../.venv) · 0 to 4 processes",
    only({ callable: "app:app", chdir: "backend" }),
    status("ASGI", 0, 4, PYTHON),
  ],
  [
    "app:app · WSGI · CPython 3.12.1 (/opt/v) · 2 processes of 8 threads in each of 3 server processes",
    only({ wsgi: "app:app", threads: 8 }, { serverProcesses: 3 }),
    status("WSGI", 2, 2, { ...PYTHON, virtualEnvironment: "/opt/v" }),
  ],
  [
    "app:app · WSGI · CPython 3.12.1 · embedded",
    only({ wsgi: "app:app", mode: "embedded" }),
    { ...statusWithoutProcesses("WSGI"), runtime: "CPython 3.12.1" },
  ],
  [
    "app:app · WSGI · embedded in 2 server processes",
    only({ wsgi: "app:app", mode: "embedded" }, { serverProcesses: 2 }),
    undefined,
  ],
  ["app:app · Python", only({ callable: "app:app" }), undefined],
  ["web · PHP · FastCGI · 4 processes", only({ php: "/srv/site/web" }), status("FastCGI", 4, 4)],
  [
    "./shop.pl --fast · FastCGI · 1 process",
    only({ fastcgi: { command: ["./shop.pl", "--fast"] } }),
    status("FastCGI", 1, 1),
  ],
  [
    "127.0.0.1:9000, 127.0.0.1:9001 · FastCGI",
    only({ fastcgi: ["127.0.0.1:9000", "127.0.0.1:9001"] }),
    undefined,
  ],
  ["unix:shop.sock · SCGI", only({ scgi: "unix:shop.sock" }), undefined],
  ["cgi-bin · CGI", only({ cgi: "cgi-bin" }), status("CGI", 0, 64)],
  ["public · static · 2 server processes", only({ static: "public" }, { serverProcesses: 2 }), undefined],
  [
    "app.ts · fetch · Node 24.1.0",
    only({ module: "app.ts" }),
    { ...statusWithoutProcesses("fetch"), runtime: "Node 24.1.0" },
  ],
  [
    "shop · node · Node 24.1.0",
    only({ app: () => {} }),
    { ...statusWithoutProcesses("node"), runtime: "Node 24.1.0" },
  ],
  ["/x → public · static", only({ static: "public" }, { routes: [{ path: "/x", app: "shop" }] }), undefined],
  ["public · static", only({ static: "public" }, { routes: [{ app: "shop" }] }), undefined],
];

for (const [line, config, said] of LINES)
  test(line, () => assert.deepEqual(linesOf(config, said ? { shop: said } : {}), [line]));

test("several apps have a line each, with what leads to them", () => {
  const apps = { api: { asgi: "api:app" }, shop: { wsgi: "shop:app" }, files: { static: "public" } };
  const routes = [
    { path: "/api", app: "api" },
    { host: "files.example.org", app: "files" },
    { path: "/docs", suffix: ".html", app: "files" },
    { app: "shop" },
  ];
  assert.deepEqual(linesOf({ apps, routes }), [
    "/api → api:app · ASGI",
    "/ → shop:app · WSGI",
    "files.example.org/, /docs*.html → public · static",
  ]);
});

test("no escape sequence of a name reaches the terminal", () => {
  assert.deepEqual(linesOf(only({ static: "a\u001b[2Jb" })), ["a\\x1b[2Jb · static"]);
});
