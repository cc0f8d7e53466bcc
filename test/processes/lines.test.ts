import assert from "node:assert/strict";
import { test } from "node:test";
import { escapeBytes, LineSplitter } from "../../src/processes/lines.ts";

function cut(chunks: readonly (string | Buffer)[], limit?: number): string[] {
  const lines: string[] = [];
  const cutter = new LineSplitter((line) => lines.push(line), limit);
  for (const chunk of chunks) cutter.push(Buffer.from(chunk as string));
  cutter.end();
  return lines;
}

const TEXT = "one\ntwo \u00e9\u3042\r\n\nthree";
const LINES = ["one", "two \u00e9\u3042", "", "three"];

test("lines come out whole, with either line end, and the last one without", () => {
  assert.deepEqual(cut([TEXT]), LINES);
  assert.deepEqual(cut(["one\n"]), ["one"]);
  assert.deepEqual(cut([]), []);
});

test("the same lines come out when the text arrives byte by byte", () => {
  assert.deepEqual(cut([...Buffer.from(TEXT)].map((byte) => Buffer.of(byte))), LINES);
});

test("of an endless line only the start is kept, and the next line is whole again", () => {
  const pieces = Array.from({ length: 1000 }, () => "x".repeat(1000));
  const [line, next] = cut([...pieces, "\nnext"], 100);
  assert.equal(line, `${"x".repeat(100)}... (999900 bytes more)`);
  assert.equal(next, "next");
});

test("L5: control characters are escaped, so that no program can forge a line or command a terminal", () => {
  const [line] = cut(["\x1b[2Jgone\r2026 ERROR forged \x07\x00\x7f\tand a tab\n"]);
  assert.equal(line, "\\x1b[2Jgone\\x0d2026 ERROR forged \\x07\\x00\\x7f\tand a tab");
  assert.equal(escapeBytes("a\r\nb\x9b\u2028c"), "a\\x0d\\x0ab\\x9b\\u2028c");
});

test("bytes that are not UTF-8 are shown as replacement characters", () => {
  assert.deepEqual(cut([Buffer.from([0x61, 0xff, 0x62, 0x0a])]), ["a\ufffdb"]);
});

const TOKEN = "c0ffee";

/** Lines, and records with a star in front, in the order in which they come out. */
function split(pieces: readonly (string | Uint8Array)[]): string[] {
  const found: string[] = [];
  const records = { token: TOKEN, onRecord: (json: string) => void found.push(`*${json}`) };
  const splitter = new LineSplitter((line) => found.push(line), 100, records);
  for (const piece of pieces) splitter.push(Buffer.from(piece));
  splitter.end();
  return found;
}

test("a record is told apart by its token, wherever it begins, and nothing of its mark is left", () => {
  const text = `one\n\x1e${TOKEN} {"a":1}\nhalf\x1e${TOKEN} {"b":2}\nlast`;
  const all = ["one", '*{"a":1}', "half", '*{"b":2}', "last"];
  assert.deepEqual(split([text]), all);
  assert.deepEqual(split([...Buffer.from(text)].map((byte) => Buffer.of(byte))), all);
});

test("L5: what only looks like a record is a line, escaped and no longer than any other", () => {
  const [line, long] = split([`\x1ec0ffe0 {"level":50}\n`, `\x1e${"x".repeat(5000)}\n`]);
  assert.equal(line, '\\x1ec0ffe0 {"level":50}');
  assert.equal(long, `\\x1e${"x".repeat(99)}... (4901 bytes more)`);
});

test("a record may be long, and one without an end keeps no more than 640 KiB", () => {
  const json = `{"a":"${"x".repeat(600_000)}"}`;
  assert.deepEqual(split([`\x1e${TOKEN} ${json}\n`]), [`*${json}`]);
  const [cut] = split([`\x1e${TOKEN} `, ...Array.from({ length: 100 }, () => "x".repeat(65_536))]);
  assert.equal(cut?.length, 655_360 - TOKEN.length - 1);
});
