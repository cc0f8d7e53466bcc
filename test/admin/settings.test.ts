// Who may ask the admin listener, as it is configured: checked before the server starts.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { adminAccess, isLoopback } from "../../src/admin/settings.ts";
import type { AdminSettings } from "../../src/config/admin.ts";
import { checkConfig } from "../../src/config/errors.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { sallyport } from "../kit/run-command.ts";

const TOKEN = "0123456789abcdef";
const local = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
const open = { kind: "tcp", host: "0.0.0.0", port: 0 } as const;

const read = (admin: string | object): AdminSettings =>
  checkConfig({ apps: { site: { static: "." } }, admin: admin as string }).admin as AdminSettings;

test("an address alone is short for a section", () => {
  assert.deepEqual(read("127.0.0.1:9000"), { listen: { kind: "tcp", host: "127.0.0.1", port: 9000 } });
  assert.deepEqual(read({ listen: "unix:admin.sock", tokenFile: "token" }), {
    listen: { kind: "unix", path: "admin.sock" },
    tokenFile: "token",
  });
});

for (const wrong of [
  "nowhere",
  "fd:3",
  "fastcgi://127.0.0.1:9000",
  { token: TOKEN },
  { listen: "9000", key: "x" },
])
  test(`${JSON.stringify(wrong)} is no admin listener`, () => {
    assert.throws(() => read(wrong), { code: "ERR_SALLYPORT_CONFIG_INVALID" });
  });

test("without a token it is for this machine only", () => {
  assert.deepEqual(adminAccess({ listen: local }, "/", undefined), { place: local, token: undefined });
  const { place } = adminAccess({ listen: { kind: "unix", path: "a.sock" } }, "/run", undefined);
  assert.deepEqual(place, { kind: "unix", path: "/run/a.sock" });
  assert.throws(() => adminAccess({ listen: open }, "/", undefined), {
    code: "ERR_SALLYPORT_CONFIG_INVALID",
    message: /0\.0\.0\.0 can be reached from other machines and has no token: .*SALLYPORT_ADMIN_TOKEN/,
  });
});

test("loopback is known by number, and by its one name", () => {
  for (const host of ["127.0.0.1", "127.8.9.10", "::1", "localhost", "LOCALHOST."])
    assert.ok(isLoopback(host), host);
  for (const host of [
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "127.0.0.1.example.org",
    "localhost.example.org",
    "1270.0.0.1",
    "",
  ])
    assert.ok(!isLoopback(host), host);
});

test("the token comes from the configuration, its file, or the environment", (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "token"), `${TOKEN}\n`);
  const token = (settings: object, given?: string): string | undefined =>
    adminAccess({ listen: open, ...settings }, folder, given).token;
  assert.equal(token({ token: TOKEN }), TOKEN);
  assert.equal(token({ tokenFile: "token" }, "another-one-than-this"), TOKEN);
  assert.equal(token({}, TOKEN), TOKEN);
});

for (const [what, settings] of [
  ["a short one", { token: "secret" }],
  ["an endless one", { token: "x".repeat(1_025) }],
  ["one that does not fit into a header", { token: "a token with spaces" }],
  ["a file that is not there", { tokenFile: "absent" }],
  ["two", { token: TOKEN, tokenFile: "token" }],
] as const)
  test(`a wrong token: ${what}`, (t) => {
    const folder = makeFolder(t);
    assert.throws(() => adminAccess({ listen: local, ...settings }, folder, undefined), {
      code: "ERR_SALLYPORT_CONFIG_INVALID",
    });
  });

test("the command says what is missing, and does not start", async (t) => {
  const folder = makeFolder(t);
  const run = (...args: string[]) => sallyport(["serve", ".", "--port", "0", ...args], folder);
  const reachable = await run("--admin", "0.0.0.0:0");
  assert.notEqual(reachable.code, 0);
  assert.match(reachable.stderr, /has no token.*--admin-token-file/);
  const alone = await run("--admin-token-file", "token");
  assert.equal(alone.code, 2);
  assert.match(alone.stderr, /--admin-token-file needs --admin/);
  const wrong = await run("--admin", "fd:3");
  assert.match(wrong.stderr, /--admin.*127\.0\.0\.1:9000/);
});
