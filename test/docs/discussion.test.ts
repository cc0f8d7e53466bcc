// docs/discussion/: its tables have every state that the code has, and the page says what each move in them is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CONNECTION_RULES } from "../../src/protocols/http1/states.ts";
import { SESSION_RULES } from "../../src/websocket/states.ts";
import { readText } from "./prose.ts";

const page = readText("docs/discussion/how-connections-end.md");
const { discussionTables } = await import(new URL("../../scripts/discussion.mjs", import.meta.url).href);
const LIFECYCLES = ["http", "cgi-socket", "fastcgi", "websocket"];

/** What stands between the marks of a table. */
function made(name: string): string {
  const [, text = ""] = new RegExp(`<!-- table: ${name} -->\\n([\\s\\S]*?)<!-- end -->`).exec(page) ?? [];
  return text.trim();
}

/** The rows of a table that the code makes, as cells without their quotes, by the heads of their columns. */
function rowsOf(name: string): Record<string, string>[] {
  const [heads = [], , ...rows] = made(name)
    .split("\n")
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll("`", "")),
    );
  return rows.map((row) => Object.fromEntries(row.map((cell, i) => [heads[i], cell])));
}

const told = (name: string, columns: Record<string, string>): unknown =>
  Object.fromEntries(
    rowsOf(name).map((row) => [
      row.state,
      Object.fromEntries(Object.entries(columns).map(([key, head]) => [key, row[head] || undefined])),
    ]),
  );

const LIFE = {
  limit: "lasts at most",
  expired: "then",
  ended: "the peer ends its side",
  stopped: "the listener closes",
};

test("the tables and pictures are those that npm run docs writes", () => {
  const tables: Record<string, string> = discussionTables();
  for (const [, name = ""] of page.matchAll(/<!-- table: (\S+) -->/g))
    assert.equal(made(name), tables[name]?.trim(), name);
});

test("the table of a connection of HTTP/1.1 says what the code does", () => {
  const columns = { step: "bytes are read as", ...LIFE };
  assert.deepEqual(told("http", columns), CONNECTION_RULES);
});

test("the table of a WebSocket says what the code does", () => {
  assert.deepEqual(told("websocket", { step: "frames are read for", ...LIFE }), SESSION_RULES);
});

for (const name of LIFECYCLES)
  test(`${name}: the picture has every state of the table, and the page explains every move`, () => {
    const rows = rowsOf(name);
    const picture = made(`${name}-picture`);
    const prose = page.replace(/<!-- table[\s\S]*?<!-- end -->/g, "");
    assert.ok(rows.length >= 4);
    for (const row of rows) {
      assert.ok(picture.includes(`${row.state}([${row.state}])`), row.state);
      for (const move of [LIFE.expired, LIFE.ended, LIFE.stopped].map((head) => row[head])) {
        assert.ok(move && prose.includes(`\`${move}\``), move);
        if (move !== "stay") assert.ok(picture.includes(`[${move}]`), move);
      }
    }
  });
