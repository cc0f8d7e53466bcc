// docs/discussion/: its tables have every state that the code has, and the page says what each move in them is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CONNECTION_RULES } from "../../src/protocols/http1/states.ts";
import { SESSION_RULES as SOCKET_RULES } from "../../src/websocket/states.ts";
import { readText } from "./prose.ts";

const page = readText("docs/discussion/how-connections-end.md");

/** The rows of a table that the code makes, as cells without their quotes. */
function rowsOf(name: string): string[][] {
  const [, table = ""] = new RegExp(`<!-- table: ${name} -->\\n([\\s\\S]*?)<!-- end -->`).exec(page) ?? [];
  const lines = table.trim().split("\n").slice(2);
  return lines.map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("`", "")),
  );
}

const statesOf = (name: string): string[] => rowsOf(name).map(([state = ""]) => state);

test("the table of a connection of HTTP/1.1 says what the code does", () => {
  const told = rowsOf("http").map(([state, , step, limit, expired, ended, stopped]) => [
    state,
    { step, limit: limit || undefined, expired, ended, stopped },
  ]);
  assert.deepEqual(Object.fromEntries(told), CONNECTION_RULES);
});

test("the table of a WebSocket has all of its states", () => {
  assert.deepEqual(statesOf("websocket"), Object.keys(SOCKET_RULES));
});

test("each move of a table is explained on its page", () => {
  const prose = page.replace(/<!-- table[\s\S]*?<!-- end -->/g, "");
  const moves = [
    ...rowsOf("http").flatMap((cells) => cells.slice(4)),
    ...rowsOf("cgi-socket").flatMap((cells) => cells.slice(3)),
  ];
  assert.ok(moves.length > 20);
  const unexplained = [...new Set(moves)].filter((move) => !prose.includes(`\`${move}\``));
  assert.deepEqual(unexplained, []);
});
