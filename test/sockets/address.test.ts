import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalIp } from "../../src/sockets/address.ts";

for (const [text, canonical] of [
  ["192.0.2.1", "192.0.2.1"],
  ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
  ["::", "::"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::FFFF:c000:0201", "192.0.2.1"],
  ["fe80::1%eth0", "fe80::1"],
  ["192.0.2.01", undefined],
  ["example.org", undefined],
  ["", undefined],
] as const)
  test(`${JSON.stringify(text)} is written ${canonical ?? "nowhere: it is no IP address"}`, () => {
    assert.equal(canonicalIp(text), canonical);
  });
