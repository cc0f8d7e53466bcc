// Secrets are not shown, and lengths stay true.
import assert from "node:assert/strict";
import { test } from "node:test";
import { masked, maskedBytes, maskedFields, maskedLines } from "../../src/inspect/masking.ts";

test("values of secret fields are masked, each character by one, and a scheme stays", () => {
  const fields = ["Authorization", "Bearer abc.def", "COOKIE", "sid=1", "Accept", "*/*"];
  assert.deepEqual(masked(fields), ["Authorization", "Bearer *******", "COOKIE", "*****", "Accept", "*/*"]);
});

test("in bytes, too, wherever the value stands", () => {
  const bytes = Buffer.from("200 OK\r\nSet-Cookie: sid=1\r\n\r\n");
  assert.equal(maskedBytes(bytes, ["Set-Cookie", "sid=1"]).toString(), "200 OK\r\nSet-Cookie: *****\r\n\r\n");
});

test("a scheme stays of credentials, and of nothing else", () => {
  const fields = ["Proxy-Authorization", "Basic abc", "Set-Cookie", "abc def", "X-Api-Key", "key no"];
  assert.deepEqual(
    masked(fields).filter((_, i) => i % 2 === 1),
    ["Basic ***", "*******", "******"],
  );
});

for (const [output, shown] of [
  ["Set-Cookie: sid=1\r\nno header\r\n\r\nhi", "Set-Cookie: *****\r\nno header\r\n\r\nhi"],
  ["no header\nset-cookie:sid=1\nX: y", "no header\nset-cookie:*****\nX: y"],
  ["\n\nSet-Cookie : sid=1", "\n\nSet-Cookie : *****"],
  ["Set-Cookie: a\r\n b; c\r\n\td\r\nX: y", "Set-Cookie: *\r\n ****\r\n\t*\r\nX: y"],
  ["Set-Cookie: \r\nX-Set-Cookie: y", "Set-Cookie: \r\nX-Set-Cookie: y"],
] as const)
  test(`in a program's output, well formed or not: ${JSON.stringify(output)}`, () => {
    assert.equal(maskedLines(Buffer.from(output, "latin1")).toString("latin1"), shown);
  });

test("in fields, at any depth, and the bytes beside them stay", () => {
  const bytes = Buffer.from("\x05Set-Cookie: sid=1\r\nX: y\r\n");
  const inner = [
    { from: 1, to: 11, name: "name", value: "" },
    { from: 13, to: 18, name: "value", value: "" },
  ];
  const fields = [
    {
      from: 0,
      to: 20,
      name: "head",
      value: "",
      fields: [{ from: 1, to: 20, name: "Set-Cookie", value: "", fields: inner }],
    },
  ];
  assert.equal(maskedFields(bytes, fields).toString(), "\x05Set-Cookie: *****\r\nX: y\r\n");
});
