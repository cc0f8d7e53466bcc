import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { LOADER } from "../../scripts/testing/typescript/loader.mjs";
import { SOCKET_LIMITS } from "../../src/cgi/socket/limits.ts";
import { OPTIONS } from "../../src/cli/options.ts";
import { limitOption } from "../../src/cli/settings.ts";
import { configTables } from "../../src/config/docs.ts";
import { HTTP_LIMITS } from "../../src/http/limits.ts";
import { FASTCGI_LIMITS } from "../../src/protocols/fastcgi/limits.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("the pages have the tables that the code makes (npm run docs)", () => {
  const args = [...LOADER, "scripts/docs.mjs", "--check"];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  assert.equal(status, 0, stderr);
});

test("every limit of the other protocols is a key of the configuration", () => {
  const tables = configTables();
  // One bound for the bodies of every protocol: limits.body.
  const own = (limits: object): string[] => Object.keys(limits).filter((key) => key !== "body");
  for (const key of own(FASTCGI_LIMITS)) assert.ok(tables["limits.fastcgi"]?.includes(`| \`${key}\` |`), key);
  for (const key of own(SOCKET_LIMITS)) assert.ok(tables["limits.scgi"]?.includes(`| \`${key}\` |`), key);
});

test("every limit of HTTP is a key of the configuration and an option of the command line", () => {
  const { limits = "" } = configTables();
  for (const key of Object.keys(HTTP_LIMITS) as (keyof typeof HTTP_LIMITS)[]) {
    assert.ok(limits.includes(`| \`${key}\` |`), key);
    assert.ok(limitOption(key) in OPTIONS, key);
  }
});
