// Secrets are not shown, and lengths stay true.
import assert from "node:assert/strict";
import { test } from "node:test";
import { masked, maskedBytes } from "../../src/inspect/masking.ts";

test("values of secret fields are masked, each character by one, and a scheme stays", () => {
  const fields = ["Authorization", "Bearer abc.def", "COOKIE", "sid=1", "Accept", "*/*"];
  assert.deepEqual(masked(fields), ["Authorization", "Bearer *******", "COOKIE", "*****", "Accept", "*/*"]);
});

test("in bytes, too, wherever the value stands", () => {
  const bytes = Buffer.from("200 OK\r\nSet-Cookie: sid=1\r\n\r\n");
  assert.equal(maskedBytes(bytes, ["Set-Cookie", "sid=1"]).toString(), "200 OK\r\nSet-Cookie: *****\r\n\r\n");
});
