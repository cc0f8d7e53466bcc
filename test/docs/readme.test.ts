// README.md does what it says: its app and its configuration are served as they stand there.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeFolder } from "../kit/make-folder.ts";
import { sallyport } from "../kit/run-command.ts";
import { serve, serveBy } from "../kit/serve.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const pages = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];
const readme = readFileSync(join(root, "README.md"), "utf8");

/** The first block of that language. */
function block(language: string): string {
  const found = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "ms").exec(readme)?.[1];
  assert.ok(found, `README.md has no ${language} block`);
  return found;
}

function folder(t: TestContext): string {
  const path = makeFolder(t);
  writeFileSync(join(path, "app.py"), block("python"));
  return path;
}

test("the app of the first minute says hello", async (t) => {
  const server = await serve(["app:app", "--python", "python3"], { cwd: folder(t) });
  t.after(() => server.stop());
  assert.equal(await (await fetch(server.url)).text(), "Hello from Python\n");
});

test("the request of the first minute is explained", async (t) => {
  const [, command = ""] = /^npx sallyport (explain .*)$/m.exec(readme) ?? [];
  const words = command.match(/'[^']*'|\S+/g)?.map((word) => word.replace(/^'|'$/g, "")) ?? [];
  const { code, stdout, stderr } = await sallyport(words, folder(t));
  assert.equal(code, 0, stderr);
  assert.match(stdout, /QUERY_STRING +name=you /);
});

test("what can be done in a minute comes first, and a generated drawing is shown", () => {
  assert.deepEqual(readme.match(/^#+ .*$/gm)?.slice(0, 2), ["# Sallyport", "## In one minute"]);
  assert.match(readme, /!\[.{20,}\]\(docs\/guide\/six-ways\.svg\)/);
});

test("README begins with a picture of the demonstration, for light and for dark", () => {
  assert.match(readme, /^# Sallyport\n\n(<!--.*-->\n)?<a href="docs\/demonstration\.md"><picture>/);
  for (const name of ["see-light.png", "see-dark.png"]) {
    assert.ok(readme.includes(`"docs/${name}"`), name);
    assert.ok(statSync(join(root, "docs", name)).size < 100_000, name);
  }
});

test("the configuration serves the app and its files from one port", async (t) => {
  const path = folder(t);
  mkdirSync(join(path, "public"));
  writeFileSync(join(path, "public", "style.css"), "body {}\n");
  writeFileSync(join(path, "sallyport.config.yaml"), block("yaml"));
  const server = await serve([], { cwd: path });
  t.after(() => server.stop());
  assert.equal(await (await fetch(server.url)).text(), "Hello from Python\n");
  assert.equal(await (await fetch(`${server.url}/static/style.css`)).text(), "body {}\n");
});

test("the one TypeScript file is an HTTP server", async (t) => {
  const path = folder(t);
  const [, source = ""] = readme.match(/^```ts\n(import \{ serve \}.*?)^```/ms) ?? [];
  writeFileSync(
    join(path, "one.ts"),
    source.replace('"sallyport"', JSON.stringify(join(root, "src/index.ts"))),
  );
  const server = await serveBy(
    [process.execPath, "--import", "tsx", join(path, "one.ts"), "--http", "127.0.0.1:0"],
    { cwd: root },
  );
  t.after(() => server.stop());
  assert.equal(await (await fetch(server.url)).text(), "Hello");
});

for (const page of pages) {
  test(`every link in ${page} leads somewhere`, () => {
    const text = readFileSync(join(root, page), "utf8");
    for (const [, target = ""] of text.matchAll(/\]\(([^)#]+)[^)]*\)/g))
      assert.ok(/^https?:/.test(target) || existsSync(join(root, target)), target);
  });
}
