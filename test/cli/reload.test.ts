// SIGHUP at a server of a configuration file: the file is read again, or everything stays as it was.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder } from "../kit/make-folder.ts";
import { serve } from "../kit/serve.ts";

test("SIGHUP reads the configuration file again: apps, routes, the log's level; a wrong file changes nothing", async (t) => {
  const folder = makeFolder(t);
  for (const name of ["one", "two"]) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "index.html"), name);
  }
  const write = (more: string, level: string): void =>
    writeFileSync(
      join(folder, "site.yaml"),
      `listen: ["127.0.0.1:0"]\nlog: { access: "off", level: ${level} }\napps: { one: { static: one }${more} }\n` +
        `routes: [{ app: one }${more && ', { path: "/two", app: two }'}]\n`,
    );
  write("", "info");
  const server = await serve(["--config", "site.yaml"], { cwd: folder });
  t.after(() => server.stop());
  const get = async (path: string) => (await fetch(server.url + path)).text();
  assert.doesNotMatch(await get("/two/"), /^two/);

  writeFileSync(join(folder, "site.yaml"), "apps: { one: { static: nowhere } }");
  process.kill(server.pid, "SIGHUP");
  await server.sees(/the reload failed and the old generation goes on: .*site\.yaml:1: .*nowhere/);
  assert.equal(await get("/"), "one");

  write(", two: { static: two }", "debug");
  process.kill(server.pid, "SIGHUP");
  while (!(await get("/two/")).startsWith("two")) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(await get("/"), "one");
  await server.stop();
  assert.match(server.stderr, /DEBUG stopping/);
});
