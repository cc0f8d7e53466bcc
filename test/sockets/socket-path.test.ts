// Directories for sockets, wherever temporary files go.
import assert from "node:assert/strict";
import { mkdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { isTooLong, makeSocketDirectory } from "../../src/sockets/socket-path.ts";
import { makeFolder } from "../kit/make-folder.ts";

/** Makes one while temporary files go to `folder`. */
async function madeIn(t: TestContext, folder: string, longest: number): Promise<string> {
  const { TMPDIR } = process.env;
  t.after(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  });
  mkdirSync(folder, { recursive: true });
  process.env.TMPDIR = folder;
  const made = await makeSocketDirectory(longest);
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

test("sockets are where temporary files go, in a directory that only we may enter", async (t) => {
  const folder = makeFolder(t);
  const made = await madeIn(t, folder, 8);
  assert.equal(dirname(made), folder);
  assert.equal(statSync(made).mode & 0o777, 0o700);
});

test("where a path would be too long for a socket, they are in /tmp", async (t) => {
  const made = await madeIn(t, join(makeFolder(t), "x".repeat(90)), 8);
  assert.equal(dirname(made), "/tmp");
  assert.equal(statSync(made).mode & 0o777, 0o700);
  assert.equal(isTooLong(join(made, "12345678")), false);
});
