// Every slot of every protocol has its suite: a gateway is a column of the matrix, a listener a row, a codec has vectors,
// a test and a fuzz target.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { GATEWAYS } from "../matrix/gateways.ts";
import { LISTENERS } from "../matrix/listeners.ts";
import { SRC } from "./graph.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const protocols = readdirSync(join(SRC, "protocols"));
/** A protocol of two large halves has a folder for each of them. */
const HALVES = ["", "server", "application"];
const having = (slot: string): string[] =>
  protocols.filter((protocol) =>
    HALVES.some((half) => existsSync(join(SRC, "protocols", protocol, half, `${slot}.ts`))),
  );

test("each protocol folder fills at least one of the slots, and says what others see of it", () => {
  const filled = new Set(["codec", "listener", "gateway"].flatMap(having));
  assert.deepEqual(
    protocols.filter((protocol) => !filled.has(protocol)),
    [],
  );
  assert.deepEqual(having("index"), protocols);
});

test("each gateway is a column of the matrix", () => {
  assert.deepEqual(
    having("gateway").filter((protocol) => !(protocol in GATEWAYS)),
    [],
  );
});

test("each listener is a row of the matrix", () => {
  assert.deepEqual(
    having("listener").filter((protocol) => !(protocol in LISTENERS)),
    [],
  );
});

test("no column and no row of the matrix is left of a protocol that is gone", () => {
  const apps = ["exchange", "fetch", "node"];
  const mounts = ["node mount", "fetch mount"];
  assert.deepEqual(Object.keys(GATEWAYS).sort(), [...apps, ...having("gateway")].sort());
  assert.deepEqual(Object.keys(LISTENERS).sort(), [...mounts, ...having("listener")].sort());
});

test("each codec has a test and a fuzz target", () => {
  const fuzzed = readdirSync(join(ROOT, "fuzz")).join(" ");
  for (const protocol of having("codec")) {
    assert.ok(
      existsSync(join(ROOT, `test/protocols/${protocol}/codec.test.ts`)),
      `a test of ${protocol}/codec.ts`,
    );
    assert.ok(fuzzed.includes(protocol), `a fuzz target of ${protocol}/codec.ts`);
  }
});
