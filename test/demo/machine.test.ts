// What is found on this machine, and what is said of what is not.
import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { isHere, machineOf, programsHere } from "../../src/demo/machine.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { needs } from "../kit/needs.ts";

/** Programs by name, which print what they are asked, on a PATH that has nothing else but a shell. */
function pathWith(t: TestContext, programs: Readonly<Record<string, string>>): string {
  const folder = makeFolder(t);
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  const before = { PATH: process.env.PATH, VIRTUAL_ENV: process.env.VIRTUAL_ENV };
  process.env.PATH = [folder].join(delimiter);
  delete process.env.VIRTUAL_ENV;
  t.after(() => {
    process.env.PATH = before.PATH;
    if (before.VIRTUAL_ENV !== undefined) process.env.VIRTUAL_ENV = before.VIRTUAL_ENV;
  });
  return folder;
}

test("Python is found by its own path, with its version", async (t) => {
  if (!needs(t, "python3")) return;
  const { python } = await programsHere(makeFolder(t));
  assert.ok(isHere(python));
  assert.match(python.version, /^3\.\d+\.\d+/);
  assert.ok(python.path.startsWith("/"));
});

test("versions are those that the programs say", async (t) => {
  pathWith(t, {
    python3: "echo /opt/python3; echo 3.12.1",
    "php-cgi": "echo 'PHP 8.4.1 (cgi-fcgi) (built: today)'",
    nginx: "echo 'nginx version: nginx/1.27.3' >&2",
  });
  const programs = await programsHere(makeFolder(t));
  assert.deepEqual(programs, {
    python: { path: "/opt/python3", version: "3.12.1" },
    php: { path: "php-cgi", version: "8.4.1" },
    nginx: { path: "nginx", version: "1.27.3" },
  });
  const { node, python, php, nginx } = machineOf(programs);
  assert.deepEqual([node, python, php, nginx], [process.versions.node, "3.12.1", "8.4.1", "1.27.3"]);
});

test("what is missing, or too old, says how to get it", async (t) => {
  pathWith(t, { python3: "exit 1", "php-cgi": "echo 'PHP 8.4.1 (cli)'" });
  const { python, php } = await programsHere(makeFolder(t));
  assert.ok(!isHere(python) && /Python 3\.9 or newer/.test(python.why), JSON.stringify(python));
  assert.ok(!isHere(php) && /apt install php-cgi/.test(php.why));
});

test("without any Python it says how to get one", async (t) => {
  pathWith(t, {});
  const { python } = await programsHere(makeFolder(t));
  assert.ok(
    !isHere(python) && /^Python 3\.9 or newer was not found: `apt install python3`/.test(python.why),
    JSON.stringify(python),
  );
});
