// The rules of the house that keep its parts apart, checked on the imports that there are.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { type Import, imports, SRC, sources } from "./graph.ts";

const all = imports();
/** The first folder below src/; a file directly in it is its own. */
const partOf = (path: string): string => path.split("/")[0] as string;
const isOurs = ({ to }: Import): boolean => to.endsWith(".ts");
const shown = (found: readonly Import[]): string[] => found.map(({ from, to }) => `${from} imports ${to}`);

/** Which parts each part may import, besides itself: the floors of the house, the lowest first. A part that is missing here may import all. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  exchange: [],
  wire: [],
  pages: [],
  options: ["exchange"],
  http: ["exchange"],
  sockets: ["exchange"],
  processes: ["exchange", "options", "sockets"],
  upstreams: ["exchange", "sockets"],
  websocket: ["exchange", "sockets"],
  cgi: ["exchange", "options", "http", "sockets", "upstreams"],
  workers: ["exchange", "wire", "options", "processes", "sockets", "websocket"],
  embedded: ["exchange", "options", "processes", "sockets", "workers"],
  apps: ["exchange", "options", "websocket"],
  modules: [],
  control: ["exchange", "options", "sockets", "logs"],
  protocols: [
    "exchange",
    "wire",
    "options",
    "http",
    "cgi",
    "websocket",
    "sockets",
    "upstreams",
    "processes",
    "workers",
    "embedded",
  ],
  mount: ["exchange", "options", "http", "sockets", "protocols"],
  testing: ["exchange"],
  proxies: ["exchange", "http", "sockets"],
  metrics: ["exchange"],
  logs: ["exchange", "wire", "options"],
  config: [
    "exchange",
    "options",
    "http",
    "cgi",
    "websocket",
    "sockets",
    "upstreams",
    "protocols",
    "proxies",
    "logs",
  ],
  server: [
    "exchange",
    "wire",
    "options",
    "cgi",
    "websocket",
    "sockets",
    "upstreams",
    "processes",
    "workers",
    "apps",
    "protocols",
    "proxies",
    "logs",
    "metrics",
    "config",
    "control",
    "modules",
  ],
  explain: [
    "exchange",
    "processes",
    "wire",
    "http",
    "cgi",
    "sockets",
    "workers",
    "apps",
    "protocols",
    "proxies",
    "logs",
    "config",
    "server",
  ],
  inspect: ["exchange", "wire", "workers", "logs", "metrics", "config", "control", "server", "explain"],
  cluster: [
    "exchange",
    "options",
    "processes",
    "sockets",
    "workers",
    "embedded",
    "logs",
    "metrics",
    "config",
    "control",
    "server",
  ],
  admin: ["exchange", "http", "protocols", "logs", "metrics", "config", "control", "server", "pages"],
  dev: ["exchange", "config", "modules", "processes", "server"],
  demo: [
    "exchange",
    "wire",
    "processes",
    "workers",
    "protocols",
    "config",
    "control",
    "server",
    "explain",
    "inspect",
    "admin",
    "pages",
  ],
};

for (const [part, allowed] of Object.entries(MAY)) {
  test(`src/${part} imports ${allowed.length > 0 ? `only ${allowed.join(", ")}` : "nothing of ours"}`, () => {
    const strangers = all.filter(
      (one) =>
        isOurs(one) &&
        partOf(one.from) === part &&
        partOf(one.to) !== part &&
        !allowed.includes(partOf(one.to)),
    );
    assert.deepEqual(shown(strangers), []);
  });
}

const protocolOf = (path: string): string | undefined => /^protocols\/([^/]+)\//.exec(path)?.[1];

test("no protocol imports another one: what several share lies below them", () => {
  const strangers = all.filter(({ from, to }) => {
    const [mine, other] = [protocolOf(from), protocolOf(to)];
    return mine && other && mine !== other;
  });
  assert.deepEqual(shown(strangers), []);
});

test("every part stands on a floor", () => {
  const parts = new Set(all.filter(({ from }) => from.includes("/")).map(({ from }) => partOf(from)));
  assert.deepEqual(
    [...parts].filter((part) => !MAY[part] && part !== "cli"),
    [],
  );
});

/** Modules that reach outside of the process. */
const IO = new Set(
  [
    "net",
    "tls",
    "http",
    "https",
    "http2",
    "dgram",
    "dns",
    "fs",
    "fs/promises",
    "child_process",
    "process",
  ].map((name) => `node:${name}`),
);
/** What those modules also have, and does no I/O. */
const PURE = /^(type\b.*|\{ (isIP|isIPv4|isIPv6|STATUS_CODES) \})$/s;

test("what a codec imports, directly or not, does no I/O", () => {
  const codecs = sources().filter((path) => basename(path) === "codec.ts");
  assert.ok(codecs.length >= 4);
  for (const codec of codecs) {
    const behind = reachedFrom(codec);
    const reached = all.filter(({ from, to, what }) => behind.has(from) && IO.has(to) && !PURE.test(what));
    assert.deepEqual(shown(reached), [], `from ${codec}`);
  }
});

/** The files behind `start`; the exchange is taken for the door that it is, and not looked behind. */
function reachedFrom(start: string): Set<string> {
  const reached = new Set([start]);
  for (const path of reached)
    for (const { from, to, what } of all)
      if (from === path && to.endsWith(".ts") && !PURE.test(what) && !to.startsWith("exchange/"))
        reached.add(to);
  return reached;
}

test("no file is called after nothing", () => {
  const nameless = sources().filter((path) =>
    /^(utils?|helpers?|common|misc|shared|lib)$/.test(basename(path, ".ts")),
  );
  assert.deepEqual(nameless, []);
});

test("every file says in its first line what it is, and keeps to a length that can be read", () => {
  for (const path of sources()) {
    const text = readFileSync(join(SRC, path), "utf8");
    assert.match(text, /^\/\/ /, path);
    assert.ok(text.split("\n").length <= 500, `${path} is too long`);
  }
});

test("imports go round in no circle between the parts", () => {
  const edges = new Map<string, Set<string>>();
  for (const one of all.filter(isOurs)) {
    const [from, to] = [partOf(one.from), partOf(one.to)];
    if (from !== to) edges.set(from, (edges.get(from) ?? new Set()).add(to));
  }
  const visit = (part: string, way: readonly string[]): void => {
    assert.ok(!way.includes(part), [...way, part].join(" -> "));
    for (const next of edges.get(part) ?? []) visit(next, [...way, part]);
  };
  for (const part of edges.keys()) visit(part, []);
});
