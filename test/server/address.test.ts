import assert from "node:assert/strict";
import { test } from "node:test";
import { addressText, parseAddress } from "../../src/server/address.ts";

const ADDRESSES: [string, string | undefined][] = [
  ["127.0.0.1:8000", "http://127.0.0.1:8000"],
  ["localhost:0", "http://localhost:0"],
  ["8000", "http://127.0.0.1:8000"],
  [":8000", "http://127.0.0.1:8000"],
  ["[::1]:8000", "http://[::1]:8000"],
  ["unix:/run/app.sock", "unix:/run/app.sock"],
  ["fd:3", "fd:3"],
  ["::1:8000", undefined],
  ["127.0.0.1", undefined],
  ["127.0.0.1:65536", undefined],
  ["http://127.0.0.1:8000", undefined],
  ["unix:", undefined],
  ["fd:x", undefined],
  ["", undefined],
];

for (const [text, told] of ADDRESSES) {
  test(`the address ${JSON.stringify(text)} ${told ? `means ${told}` : "is refused"}`, () => {
    const address = parseAddress(text);
    assert.equal(address && addressText(address), told);
  });
}
