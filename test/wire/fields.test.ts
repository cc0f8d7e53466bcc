// Bytes as people read them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FieldReader, textOfBytes } from "../../src/wire/fields.ts";
import { assertCovers } from "../kit/covers.ts";

test("text is shown as text, controls escaped, and bytes that are no UTF-8 as digits", () => {
  assert.equal(textOfBytes(Buffer.from("/käse")), "/käse");
  assert.equal(textOfBytes(Buffer.from("a\r\n\tb\0\\")), "a\\r\\n\\tb\\x00\\\\");
  assert.equal(textOfBytes(Buffer.from([0x2f, 0xff])), "0x2fff");
});

test("a long text is cut, and says how long it is", () => {
  assert.equal(textOfBytes(Buffer.alloc(1000, "x")), `${"x".repeat(256)}… (1000 bytes)`);
});

test("numbers are read in the order of their bytes", () => {
  const reader = new FieldReader(Buffer.from([1, 2, 1, 2, 7]));
  assert.equal(reader.number("big", 2, "big"), 0x0102);
  assert.equal(reader.number("little", 2, "little"), 0x0201);
  assert.equal(
    reader.number("named", 1, "big", () => "seven"),
    7,
  );
  assert.deepEqual(
    reader.fields.map(({ value }) => value),
    ["258", "513", "7 (seven)"],
  );
});

test("no field reaches beyond the bytes that there are", () => {
  const reader = new FieldReader(Buffer.from("abc"));
  reader.group("outer", 99, (inner) => {
    inner.take("inner", 99);
    return undefined;
  });
  assertCovers(reader.fields, 0, 3);
});
