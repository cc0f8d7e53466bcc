// Directories for sockets, wherever temporary files go.
import assert from "node:assert/strict";
import { mkdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fastcgi } from "../../src/protocols/fastcgi/index.ts";
import { isTooLong, makeSocketDirectory } from "../../src/sockets/socket-path.ts";
import { makeFolder } from "../kit/make-folder.ts";

function useTemporary(t: TestContext, folder: string): void {
  const { TMPDIR } = process.env;
  t.after(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  });
  process.env.TMPDIR = folder;
}

/** Makes one while temporary files go to `folder`. */
async function madeIn(t: TestContext, folder: string, longest: number): Promise<string> {
  mkdirSync(folder, { recursive: true });
  useTemporary(t, folder);
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

test("a FastCGI program cannot be started where there are no temporary files: no defect of ours, and TMPDIR is named", async (t) => {
  useTemporary(t, join(makeFolder(t), "absent"));
  const gateway = fastcgi({ command: ["/bin/true"] });
  t.after(() => gateway.close?.(0));
  await assert.rejects(async () => gateway.start?.(), {
    code: "ERR_SALLYPORT_CONFIG_INVALID",
    message: /sockets in a temporary directory, and none can be made: ENOENT.*; set TMPDIR$/,
  });
});
