// Which requests the demonstration answers: those of its own pages and of programs, under names of this machine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkOrigin } from "../../src/demo/guard.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";

const check = (host: string, authority: string, ...headers: string[]): void =>
  checkOrigin(new RecordedExchange({ authority, headers }).request, host);
const FORBIDDEN = { code: "ERR_SALLYPORT_FORBIDDEN" };

test("names of this machine, addresses, and the name that it was given", () => {
  for (const authority of [
    "localhost:8000",
    "127.0.0.1:8000",
    "[::1]:8000",
    "192.0.2.7:8000",
    "box.lan:8000",
    "",
  ])
    check("box.lan", authority);
  for (const authority of ["evil.example:8000", "localhost.evil.example", "other.lan:8000"])
    assert.throws(() => check("box.lan", authority), FORBIDDEN, authority);
});

test("pages from elsewhere are refused, its own and programs are not", () => {
  const from = (...headers: string[]) => check("127.0.0.1", "localhost:8000", ...headers);
  from("Origin", "http://localhost:8000", "Sec-Fetch-Site", "same-origin");
  from("Sec-Fetch-Site", "none");
  for (const headers of [
    ["Origin", "http://evil.example"],
    ["Origin", "http://localhost:3000"],
    ["Origin", "null"],
    ["Sec-Fetch-Site", "cross-site"],
    ["Sec-Fetch-Site", "same-site"],
  ])
    assert.throws(() => from(...headers), FORBIDDEN, headers.join());
});
