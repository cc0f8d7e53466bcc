import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { MarshalWriter } from "../../src/workers/marshal.ts";
import { pythons } from "../pythons.ts";

class Taken extends MarshalWriter {
  get octets(): Buffer {
    return this.buffer.subarray(0, this.size);
  }
}

const LONG = "é".repeat(70_000);

function sample(): Buffer {
  const writer = new Taken(8);
  writer.beginDict();
  writer.entry("PATH_INFO", "/caf\xc3\xa9");
  writer.entry("LONG", LONG);
  writer.entry("EMPTY", "");
  writer.entry("255", "x".repeat(255));
  writer.entry("256", "x".repeat(256));
  writer.latin1("wsgi.input");
  writer.bytes(Uint8Array.of(0, 255, 10));
  writer.latin1("none");
  writer.none();
  writer.latin1("nested");
  writer.value({ list: [1, -2, "日本", null, { a: [] }] });
  writer.endDict();
  return Buffer.from(writer.octets);
}

const CHECK = `
import marshal, sys, json
value = marshal.loads(sys.stdin.buffer.read())
assert value["PATH_INFO"] == "/caf\\xc3\\xa9", value["PATH_INFO"]
assert value["LONG"] == "\\xe9" * 70000
assert value["EMPTY"] == "" and value["255"] == "x" * 255 and value["256"] == "x" * 256
assert value["wsgi.input"] == b"\\x00\\xff\\n"
assert value["none"] is None
assert value["nested"] == {"list": [1, -2, "\\u65e5\\u672c", None, {"a": []}]}
print("ok")
`;

for (const { path, version } of pythons()) {
  test(`CPython ${version} loads what we write`, () => {
    assert.equal(execFileSync(path, ["-c", CHECK], { input: sample(), encoding: "utf8" }).trim(), "ok");
  });
}
