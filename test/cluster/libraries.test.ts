// The supervisor asks for the library of an embedded interpreter, and nobody else does; unless it has no answer in time.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { librariesOf } from "../../src/cluster/libraries.ts";
import { checkConfig } from "../../src/config/errors.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { pythons } from "../kit/pythons.ts";
import { serve } from "../kit/serve.ts";

const APPS = fileURLToPath(new URL("../apps/embedded", import.meta.url));
const PYTHON = pythons()[0]?.path as string;
const here = makeFolder();

/** An interpreter that notes who starts it, and then does `first`. */
function noted(name: string, first = ""): { readonly python: string; readonly parents: () => number[] } {
  const python = join(here, name);
  const notes = join(here, `${name}.notes`);
  writeFileSync(notes, "");
  writeFileSync(python, `#!/bin/sh\necho $PPID >>${notes}\n${first}\nexec ${PYTHON} "$@"\n`, { mode: 0o755 });
  const lines = (): string[] => readFileSync(notes, "utf8").split("\n").slice(0, -1);
  return { python, parents: () => lines().map(Number) };
}

const planOf = (python: string, more: object = {}) => ({
  settings: checkConfig({ apps: { app: { wsgi: "habits:app", mode: "embedded", python } }, ...more }),
  directory: APPS,
});

test("the supervisor asks once, and its server process gets the answer", async (t) => {
  const { python, parents } = noted("asked");
  const server = await serve(["habits:app", "--embedded", "--chdir", APPS, "--python", python]);
  t.after(() => server.stop());
  assert.deepEqual(parents(), [server.pid]);
});

test("an answer that takes too long is not waited for", async () => {
  const { python, parents } = noted("slow", "sleep 2");
  assert.deepEqual(await librariesOf(planOf(python), 10), []);
  const [found] = await librariesOf(planOf(python), 60_000);
  assert.equal(found?.executable, python);
  assert.equal(parents().length, 2);
});

test("an interpreter that is not there, or not fit, is left to the server process, which says why", async () => {
  assert.deepEqual(await librariesOf(planOf(join(here, "nowhere"))), []);
  assert.deepEqual(await librariesOf(planOf(noted("unfit", "exit 1").python)), []);
});

test("no interpreter runs with rights that the server process gives up", async () => {
  const { python, parents } = noted("root");
  assert.deepEqual(await librariesOf(planOf(python, { user: "nobody" })), []);
  assert.deepEqual(parents(), []);
});
