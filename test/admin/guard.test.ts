// Which requests the admin listener refuses: without the token, from foreign web pages, under foreign names.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type AccessGuard, guardOf } from "../../src/admin/guard.ts";
import type { AdminPlace } from "../../src/config/admin.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";

const TOKEN = "0123456789abcdef";
const tcp: AdminPlace = { kind: "tcp", host: "127.0.0.1", port: 9000 };
const unix: AdminPlace = { kind: "unix", path: "/run/admin.sock" };

/** The code of the refusal, without its prefix; undefined when there is none. */
function refused(guard: AccessGuard, authority: string, ...headers: string[]): string | undefined {
  const { request } = new RecordedExchange({ authority, headers });
  return guard.refusal(request)?.code.replace("ERR_SALLYPORT_", "");
}

test("at a loopback address only names of this machine are answered", () => {
  const guard = guardOf({ place: tcp, token: undefined });
  for (const host of ["127.0.0.1:9000", "localhost:9000", "localhost", "[::1]:9000", ""])
    assert.equal(refused(guard, host), undefined, host);
  for (const host of [
    "evil.example:9000",
    "127.0.0.1.evil.example",
    "10.0.0.1:9000",
    "localhost.evil.example",
  ])
    assert.equal(refused(guard, host), "FORBIDDEN", host);
});

test("a Unix socket, and a listener with a token, may have any name", () => {
  assert.equal(refused(guardOf({ place: unix, token: undefined }), "anything"), undefined);
  const guard = guardOf({ place: tcp, token: TOKEN });
  assert.equal(refused(guard, "admin.example", "Authorization", `Bearer ${TOKEN}`), undefined);
});

test("requests of foreign pages are refused, those of its own pages and of programs are not", () => {
  const guard = guardOf({ place: tcp, token: undefined });
  const from = (...headers: string[]) => refused(guard, "localhost:9000", ...headers);
  assert.equal(from("Origin", "http://localhost:9000"), undefined);
  assert.equal(from("Sec-Fetch-Site", "same-origin"), undefined);
  assert.equal(from("Sec-Fetch-Site", "none"), undefined);
  assert.equal(from("Origin", "http://localhost:8000"), "FORBIDDEN");
  assert.equal(from("Origin", "null"), "FORBIDDEN");
  assert.equal(from("Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site"), "FORBIDDEN");
  assert.equal(from("Sec-Fetch-Site", "same-site"), "FORBIDDEN");
});

test("only the whole token is the token", () => {
  const guard = guardOf({ place: tcp, token: TOKEN });
  const sending = (value: string) => refused(guard, "localhost", "Authorization", value);
  assert.equal(sending(`Bearer ${TOKEN}`), undefined);
  assert.equal(sending(`bearer  ${TOKEN} `), undefined);
  assert.equal(refused(guard, "localhost"), "TOKEN_WANTED");
  for (const value of [
    TOKEN,
    `Basic ${TOKEN}`,
    "Bearer",
    `Bearer ${TOKEN}0`,
    `Bearer ${TOKEN.slice(1)}`,
    `Bearer x ${TOKEN}`,
  ])
    assert.equal(sending(value), "TOKEN_WANTED", value);
});
