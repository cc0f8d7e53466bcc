// The environment, locale and flags that an application finds: the same in both modes, on every CPython of the machine.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { LOADER } from "../../scripts/testing/typescript/loader.mjs";
import { pythons } from "../kit/pythons.ts";

const TELL = fileURLToPath(new URL("tell_facts.ts", import.meta.url));
const NO_LOCALE = { LANG: undefined, LC_ALL: undefined, LC_CTYPE: undefined };

/** Circumstances in which the two modes once differed, or might. */
const SURROUNDINGS: Readonly<Record<string, Readonly<Record<string, string | undefined>>>> = {
  "without a locale, as in containers": NO_LOCALE,
  "with a locale and a time zone": { LC_ALL: "C.UTF-8", TZ: "Asia/Kolkata" },
  "with Python's own variables": {
    ...NO_LOCALE,
    PYTHONUTF8: "0",
    PYTHONOPTIMIZE: "1",
    PYTHONWARNINGS: "error::SyntaxWarning",
  },
};

async function told(more: object, ...args: string[]): Promise<Record<string, unknown>> {
  // Variables of ours and of the test runner's: workers never get them.
  const { NODE_TEST_CONTEXT: _, SALLYPORT_LINT: __, ...own } = process.env;
  const env = { ...own, FACT_OF_THE_SERVER: "caf\u00e9", ...more };
  const command = [...LOADER, TELL, ...args];
  const { stdout } = await promisify(execFile)(process.execPath, command, { env });
  return JSON.parse(stdout);
}

for (const { path, version } of pythons())
  for (const [name, env] of Object.entries(SURROUNDINGS))
    test(`os.environ, locale and flags are those of daemon mode ${name}: CPython ${version}`, async () => {
      const [daemon, embedded] = await Promise.all([told(env, "daemon", path), told(env, "embedded", path)]);
      assert.ok("FACT_OF_THE_SERVER" in (daemon.environ as object));
      assert.deepEqual(embedded, daemon);
    });

test("os.environ is the same where libraries have no variable `environ`", async () => {
  const path = pythons()[0]?.path as string;
  const [daemon, embedded] = await Promise.all([
    told({}, "daemon", path),
    told({}, "embedded", path, "hidden"),
  ]);
  assert.deepEqual(embedded.environ, daemon.environ);
});
