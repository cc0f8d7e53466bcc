// Sallyport inside a bundle, without the files that bundlers leave behind.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { makeFolder } from "../kit/make-folder.ts";

const SOURCES = fileURLToPath(new URL("../../src/protocols/wsgi/index.ts", import.meta.url));
const MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));

test("a bundle that has Sallyport in it, but not its files for Python, is told what to do", async () => {
  const folder = makeFolder();
  symlinkSync(MODULES, join(folder, "node_modules"));
  mkdirSync(join(folder, "dist/server"), { recursive: true });
  writeFileSync(join(folder, "shop.py"), "def app(environ, start_response): ...\n");
  const app = `import { wsgi } from ${JSON.stringify(SOURCES)};
    await wsgi("shop:app", { chdir: ${JSON.stringify(folder)} }).start().catch(({ code, message }) => console.log(code, message));
    process.exit();`;
  const outfile = join(folder, "dist/server/app.mjs");
  const stdin = { contents: app, resolveDir: folder };
  await build({ stdin, outfile, bundle: true, platform: "node", format: "esm", packages: "external" });
  const { stdout } = await promisify(execFile)(process.execPath, [outfile], {
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  assert.match(
    stdout,
    /^ERR_SALLYPORT_APP_IMPORT the files of sallyport for Python are not in .*python: leave the package sallyport out of the bundle/,
  );
});
