import assert from "node:assert/strict";
import { test } from "node:test";
import { addressText, parseAddress } from "../../src/config/address.ts";

const ADDRESSES: [string, string | undefined][] = [
  ["127.0.0.1:8000", "http://127.0.0.1:8000"],
  ["localhost:0", "http://localhost:0"],
  ["8000", "http://127.0.0.1:8000"],
  [":8000", "http://127.0.0.1:8000"],
  ["[::1]:8000", "http://[::1]:8000"],
  ["unix:/run/app.sock", "unix:/run/app.sock"],
  ["fd:3", "fd:3"],
  ["http://127.0.0.1:8000", "http://127.0.0.1:8000"],
  ["http://unix:/run/app.sock", "unix:/run/app.sock"],
  ["fastcgi://127.0.0.1:9000", "fastcgi://127.0.0.1:9000"],
  ["fastcgi://[::1]:9000", "fastcgi://[::1]:9000"],
  ["fastcgi://9000", "fastcgi://127.0.0.1:9000"],
  ["fastcgi://fd:0", "fastcgi://fd:0"],
  ["scgi://unix:/run/app.sock", "scgi://unix:/run/app.sock"],
  ["uwsgi://0.0.0.0:3031", "uwsgi://0.0.0.0:3031"],
  ["::1:8000", undefined],
  ["127.0.0.1", undefined],
  ["127.0.0.1:65536", undefined],
  ["gopher://127.0.0.1:70", undefined],
  ["://127.0.0.1:70", undefined],
  ["toString://127.0.0.1:70", undefined],
  ["fastcgi://", undefined],
  ["fastcgi://scgi://9000", undefined],
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

test("the text of an address is read as the same address again", () => {
  for (const [, told] of ADDRESSES) {
    if (told) assert.equal(addressText(parseAddress(told) ?? assert.fail(told)), told);
  }
});
