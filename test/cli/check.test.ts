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

const SECTIONS: [string, object, RegExp][] = [
  ["an admin listener that all can reach, without a token", { admin: "0.0.0.0:9000" }, /has no token/],
  [
    "a memoryLimit below maxMemory",
    { apps: { a: { wsgi: "a:app", maxMemory: "2M", memoryLimit: "1M" } } },
    /memoryLimit, above which/,
  ],
  [
    "the same, embedded",
    { apps: { a: { wsgi: "a:app", mode: "embedded", maxMemory: "2M", memoryLimit: "1M" } } },
    /memoryLimit, above which/,
  ],
  [
    "a pid file in a directory that is not there",
    { pidFile: "gone/pid" },
    /pid file .* cannot be written: ENOENT/,
  ],
];

for (const [what, section, message] of SECTIONS) {
  test(`${what} is not valid, as for serve`, async () => {
    const config = { listen: [0], apps: { site: { static: "public" } }, ...section };
    writeFileSync(join(directory, "section.json"), JSON.stringify(config));
    for (const command of ["check", "serve"]) {
      const { code, stdout, stderr } = await sallyport([command, "--config", "section.json"], directory);
      assert.deepEqual([code, stdout], [1, ""], command);
      assert.match(stderr, message);
      assert.match(stderr, /CONFIG_INVALID/);
    }
  });
}

test("a user that is not there is not valid, as for serve", async () => {
  for (const command of ["check", "serve"]) {
    const { code, stderr } = await sallyport([command, "--user", "nobody-here"], directory);
    assert.equal(code, 1, command);
    assert.match(stderr, /no user "nobody-here"|only root may run/);
  }
});
