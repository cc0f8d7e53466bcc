// `sallyport check` as somebody types it.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder } from "../kit/make-folder.ts";
import { sallyport } from "../kit/run-command.ts";

const directory = makeFolder();
mkdirSync(join(directory, "public"));
writeFileSync(join(directory, "public/settings.py"), "");
writeFileSync(
  join(directory, "sallyport.config.yaml"),
  "listen: [8080]\napps: { site: { static: public } }\n",
);
writeFileSync(join(directory, "wrong.yaml"), "apps: { site: { statik: public } }\n");

test("a valid configuration: what would be served, and a warning", async () => {
  const { code, stdout, stderr } = await sallyport(["check"], directory);
  assert.equal(stderr, "");
  assert.equal(code, 0);
  assert.deepEqual(stdout.split("\n"), [
    "listens on http://127.0.0.1:8080",
    "/  app site: static public",
    "warning: app site: 1 file would be sent as they are, sources included: settings.py; keep them apart from what is public",
    "valid, with 1 warning",
    "",
  ]);
});

test("the same for a program", async () => {
  const { stdout } = await sallyport(["check", "--json"], directory);
  const { listen, warnings } = JSON.parse(stdout) as { listen: string[]; warnings: string[] };
  assert.deepEqual(listen, ["http://127.0.0.1:8080"]);
  assert.equal(warnings.length, 1);
});

test("one that is not valid ends with 1 and names the line", async () => {
  const { code, stderr } = await sallyport(["check", "--config", "wrong.yaml"], directory);
  assert.equal(code, 1);
  assert.match(stderr, /wrong\.yaml:1: apps\.site/);
});
