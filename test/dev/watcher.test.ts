import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { type TestContext, test } from "node:test";
import { Watcher } from "../../src/dev/watcher.ts";
import { silentLog } from "../../src/exchange/index.ts";

type Told = [files: string[], restart: boolean];

interface Watched {
  readonly directory: string;
  /** Writes a file, and gives what is told next. */
  write(path: string): Promise<Told>;
  readonly told: Told[];
}

async function watched(
  t: TestContext,
  patterns: { include?: string[]; exclude?: string[] } = {},
): Promise<Watched> {
  const directory = mkdtempSync(join(tmpdir(), "sallyport-watch-"));
  for (const folder of ["lib", "node_modules/x", "__pycache__", ".git", "env", "var"])
    mkdirSync(join(directory, folder), { recursive: true });
  writeFileSync(join(directory, "env", "pyvenv.cfg"), "");
  const told: Told[] = [];
  let wake = (): void => {};
  const watcher = new Watcher({
    directories: [directory],
    include: patterns.include ?? [],
    exclude: patterns.exclude ?? [],
    changed(files, restart) {
      told.push([files.map((file) => relative(directory, file)).sort(), restart]);
      wake();
    },
    log: silentLog,
  });
  await watcher.ready();
  t.after(async () => {
    await watcher.close();
    rmSync(directory, { recursive: true });
  });
  const write = async (path: string): Promise<Told> => {
    const before = told.length;
    const next = new Promise<void>((resolve) => {
      wake = resolve;
    });
    writeFileSync(join(directory, path), String(Math.random()));
    await next;
    return told[before] as Told;
  };
  return { directory, told, write };
}

test("sources and templates need a new version, pictures and styles a new look", async (t) => {
  const { write } = await watched(t);
  assert.deepEqual(await write("lib/app.py"), [["lib/app.py"], true]);
  assert.deepEqual(await write("lib/page.html"), [["lib/page.html"], true]);
  assert.deepEqual(await write(".env"), [[".env"], true]);
  assert.deepEqual(await write("style.css"), [["style.css"], false]);
});

test("a new directory is watched, too", async (t) => {
  const { directory, write } = await watched(t);
  await write("app.py");
  mkdirSync(join(directory, "new"));
  writeFileSync(join(directory, "new", "first.py"), "");
  const [files] = await write("last.ts");
  assert.ok(files.includes("last.ts"));
});

test("what is installed, cached or under version control means nothing", async (t) => {
  const { directory, told, write } = await watched(t);
  for (const path of ["node_modules/x/a.js", "__pycache__/a.py", ".git/a.py", "env/a.py", "data.sqlite"])
    writeFileSync(join(directory, path), "x");
  assert.deepEqual(await write("app.py"), [["app.py"], true]);
  assert.equal(told.length, 1);
});

test("patterns add files, and leave files out", async (t) => {
  const { directory, told, write } = await watched(t, {
    include: ["*.graphql"],
    exclude: ["var/**", "*_test.py"],
  });
  assert.deepEqual(await write("lib/schema.graphql"), [["lib/schema.graphql"], true]);
  writeFileSync(join(directory, "var", "a.py"), "");
  writeFileSync(join(directory, "lib", "app_test.py"), "");
  assert.deepEqual(await write("app.py"), [["app.py"], true]);
  assert.equal(told.length, 2);
});

test("files that change together are told together", async (t) => {
  const { directory, write } = await watched(t);
  for (let i = 0; i < 5; i++) writeFileSync(join(directory, `m${i}.py`), "");
  const [files] = await write("m5.py");
  assert.deepEqual(files, ["m0.py", "m1.py", "m2.py", "m3.py", "m4.py", "m5.py"]);
});
