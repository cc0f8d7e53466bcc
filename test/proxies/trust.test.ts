import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTrust, type TrustRule, trustOf } from "../../src/proxies/trust.ts";

const rules = (...texts: string[]): TrustRule[] =>
  texts.map((text) => {
    const rule = parseTrust(text);
    assert.ok(rule, `${text} is refused`);
    return rule;
  });

const trusts = (listed: readonly string[], address: string): boolean =>
  trustOf(rules(...listed))?.({ address, port: address === "" ? 0 : 1 }) ?? false;

test("an address and a range trust what is in them, however it is written, and nothing else", () => {
  for (const [listed, address, expected] of [
    ["127.0.0.1", "127.0.0.1", true],
    ["127.0.0.1", "::ffff:127.0.0.1", true],
    ["127.0.0.1", "127.0.0.2", false],
    ["127.0.0.1", "::1", false],
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.1.2.3/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["10.0.0.4/30", "10.0.0.8", false],
    ["0.0.0.0/0", "8.8.8.8", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["::ffff:10.0.0.0/104", "10.2.3.4", true],
    ["::ffff:10.0.0.0/104", "11.2.3.4", false],
    ["2001:DB8::/32", "2001:db8:1::", true],
    ["2001:db8::/32", "2001:db9::", false],
    ["2001:db8:0:0::1", "2001:db8::1", true],
    ["fe80::/10", "fe80::1%eth0", true],
  ] as const)
    assert.equal(trusts([listed], address), expected, `${listed} ${address}`);
});

test("unix: trusts peers over Unix sockets, by whatever path, and no address does", () => {
  assert.equal(trusts(["unix:"], ""), true);
  assert.equal(trusts(["unix:"], "/run/nginx.sock"), true);
  assert.equal(trusts(["unix:"], "127.0.0.1"), false);
  assert.equal(trusts(["0.0.0.0/0", "::/0"], ""), false);
});

test("unix: does not trust a peer that is not known, nor a text that is no address", () => {
  const peer = { address: "", port: 0, unknown: true } as const;
  assert.equal(trustOf(rules("unix:"))?.({ address: "", port: 0 }), true);
  assert.equal(trustOf(rules("unix:", "127.0.0.1"))?.(peer), false);
  assert.equal(trusts(["unix:"], "nobody"), false);
});

test("* trusts every peer, and an empty list none", () => {
  assert.equal(trusts(["10.0.0.0/8", "*"], "2001:db8::1"), true);
  assert.equal(trusts(["*"], ""), true);
  assert.equal(trustOf([]), undefined);
});

test("what is neither an address, nor a range, unix: or * is refused", () => {
  for (const text of [
    "",
    " 127.0.0.1",
    "localhost",
    "127.0.0",
    "127.0.0.01",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/-1",
    "10.0.0.0/255.0.0.0",
    "::1/129",
    "[::1]",
    "::ffff:10.0.0.0/90",
    "unix:/run/app.sock",
    "fe80::1%eth0",
    "**",
  ])
    assert.equal(parseTrust(text), undefined, text);
});

test("more peers than are remembered get each their own answer", () => {
  const trusted = trustOf(rules("10.0.0.0/9"));
  for (let round = 0; round < 2; round++)
    for (let i = 0; i < 3_000; i++) {
      const address = `10.${i % 256}.${i >> 8}.1`;
      assert.equal(trusted?.({ address, port: 1 }), i % 256 < 128, address);
    }
});
