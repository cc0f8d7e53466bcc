// The applications of the demonstration, as the package has them: the source that is shown is the one that runs.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { missing } from "../kit/needs.ts";
import type { Served } from "../kit/serve.ts";
import { doorsOf, startDemo } from "./start-demo.ts";

const at = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const APPS = readdirSync(new URL("../../src/demo/apps", import.meta.url)).filter((name) =>
  name.includes("."),
);

let site: Served;
before(async () => {
  site = await startDemo();
});
after(() => site.stop());

test("the source that is shown is that of the package, which is that of the repository", async () => {
  const shown = new Set<string>();
  for (const { code } of await doorsOf(site)) {
    const { file = "", text } = code[0] ?? {};
    shown.add(file.replace("src/demo/apps/", ""));
    assert.equal(text, at(file), file);
    assert.equal(text, at(file.replace("src/", "dist/")), file);
  }
  assert.deepEqual([...shown].sort(), APPS.sort());
});

test("each is a page of code", () => {
  for (const app of APPS) {
    const lines = at(`src/demo/apps/${app}`).split("\n");
    assert.ok(lines.length <= 100, `${app}: ${lines.length} lines`);
  }
});

test("each greets by the name, of any letters, and knows the size of a large body", {
  skip: missing("python3"),
}, async () => {
  const open = (await doorsOf(site)).filter(({ available }) => available);
  assert.ok(open.length >= 9, open.map(({ id }) => id).join());
  for (const { path } of open) {
    const url = `${site.url}${path}/hello?name=${encodeURIComponent("Žofie & <b>")}`;
    const response = await fetch(url, { method: "POST", body: "x".repeat(200_000) });
    const text = await response.text();
    assert.equal(
      response.headers.get("content-type")?.toLowerCase().replace(" ", ""),
      "text/plain;charset=utf-8",
      path,
    );
    assert.match(text, /^Hello, Žofie & <b>!\nYour request has a body of 200000 bytes\.\n/, path);
    assert.match(await (await fetch(`${site.url}${path}/hello`)).text(), /^Hello, world!\n.* 0 bytes/, path);
  }
});
