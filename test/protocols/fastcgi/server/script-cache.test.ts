// Which scripts are looked for again, and which are taken from the cache.
import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ScriptCache } from "../../../../src/protocols/fastcgi/server/script-cache.ts";
import { RecordedExchange } from "../../../../src/testing/recorded.ts";
import { makeFolder } from "../../../kit/make-folder.ts";

async function scripts(t: TestContext): Promise<{ root: string; find: (target: string) => Promise<string> }> {
  const root = makeFolder(t);
  const cache = new ScriptCache({ root, suffix: ".php", index: ["index.php"] });
  const find = async (target: string): Promise<string> => {
    const script = await cache.find(new RecordedExchange({ target }));
    return typeof script === "string" ? script : (script.variables.get("SCRIPT_NAME") ?? "");
  };
  return { root, find };
}

test("a script is found as soon as it is there", async (t) => {
  const { root, find } = await scripts(t);
  await assert.rejects(find("/a.php"), { code: "ERR_SALLYPORT_NOT_FOUND" });
  await writeFile(join(root, "a.php"), "");
  assert.equal(await find("/a.php"), "/a.php");
});

test("a script that was found is not checked again for a moment, the path and the query apart", async (t) => {
  const { root, find } = await scripts(t);
  await writeFile(join(root, "a.php"), "");
  assert.equal(await find("/a.php?1"), "/a.php");
  await rm(join(root, "a.php"));
  assert.equal(await find("/a.php?2"), "/a.php");
  await assert.rejects(find("/a.php/x"), { code: "ERR_SALLYPORT_NOT_FOUND" });
});

test("many paths are not all remembered", async (t) => {
  const { root, find } = await scripts(t);
  await writeFile(join(root, "a.php"), "");
  assert.equal(await find("/a.php"), "/a.php");
  for (let i = 0; i < 1_000; i++) await find(`/a.php/${i}`);
  await rm(join(root, "a.php"));
  await assert.rejects(find("/a.php"), { code: "ERR_SALLYPORT_NOT_FOUND" });
});
