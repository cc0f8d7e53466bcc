import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { bytes, DICT, DICT_END, entry, int, latin1, marshal, NONE, PAIR } from "../../src/workers/marshal.ts";
import { pythons } from "../kit/pythons.ts";

const LONG = "é".repeat(70_000);

function sample(): Buffer {
  const entries = [
    entry("PATH_INFO", "/caf\xc3\xa9"),
    entry("LONG", LONG),
    entry("EMPTY", ""),
    entry("255", "x".repeat(255)),
    entry("256", "x".repeat(256)),
    latin1("wsgi.input") + bytes(Uint8Array.of(0, 255, 10)),
    latin1("none") + NONE,
    latin1("port") + int(65_535),
    latin1("pair") + PAIR + latin1("a") + int(1),
    latin1("nested") + marshal({ list: [1, -2, "日本", null, { a: [] }] }),
  ];
  return Buffer.from(DICT + entries.join("") + DICT_END, "latin1");
}

const CHECK = `
import marshal, sys, json
value = marshal.loads(sys.stdin.buffer.read())
assert value["PATH_INFO"] == "/caf\\xc3\\xa9", value["PATH_INFO"]
assert value["LONG"] == "\\xe9" * 70000
assert value["EMPTY"] == "" and value["255"] == "x" * 255 and value["256"] == "x" * 256
assert value["wsgi.input"] == b"\\x00\\xff\\n"
assert value["none"] is None
assert value["port"] == 65535 and value["pair"] == ("a", 1)
assert value["nested"] == {"list": [1, -2, "\\u65e5\\u672c", None, {"a": []}]}
print("ok")
`;

for (const { path, version } of pythons()) {
  test(`CPython ${version} loads what we write`, () => {
    assert.equal(execFileSync(path, ["-c", CHECK], { input: sample(), encoding: "utf8" }).trim(), "ok");
  });
}
