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

/** Which parts each part may import, besides itself. A part that is missing here may import all. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  exchange: [],
  sockets: ["exchange"],
  upstreams: ["exchange", "sockets"],
  processes: ["exchange"],
  workers: ["exchange", "processes", "sockets"],
  embedded: ["exchange", "processes", "sockets", "workers"],
  apps: ["exchange"],
  protocols: ["exchange", "sockets", "upstreams", "processes", "workers", "embedded"],
  mount: ["exchange", "sockets", "protocols"],
  testing: ["exchange"],
  server: ["exchange", "sockets", "upstreams", "processes", "workers", "apps", "protocols"],
  fronts: ["exchange", "processes", "server"],
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

/** What a protocol may import of another besides CGI: what its own specification builds on. */
const BUILDS_ON: Readonly<Record<string, readonly string[]>> = {
  http: ["websocket"],
  http2: ["http", "websocket"],
};

test("a protocol imports of another one only CGI, the mother tongue of several, and what it builds on", () => {
  const strangers = all.filter(({ from, to }) => {
    const [mine, other] = [protocolOf(from), protocolOf(to)];
    return mine && other && mine !== other && other !== "cgi" && !BUILDS_ON[mine]?.includes(other);
  });
  assert.deepEqual(shown(strangers), []);
});

test("CGI imports no other protocol", () => {
  const strangers = all.filter(
    ({ from, to }) => protocolOf(from) === "cgi" && (protocolOf(to) ?? "cgi") !== "cgi",
  );
  assert.deepEqual(shown(strangers), []);
});

test("a mount imports of the protocols only HTTP", () => {
  const strangers = all.filter(
    ({ from, to }) => partOf(from) === "mount" && (protocolOf(to) ?? "http") !== "http",
  );
  assert.deepEqual(shown(strangers), []);
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
