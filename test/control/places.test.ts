// Where control sockets are when nobody says where.
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { controlDirectory, livingSockets, ownPath, sweepSockets } from "../../src/control/places.ts";
import { leaveSocket } from "../kit/leave-socket.ts";
import { makeFolder } from "../kit/make-folder.ts";

test("the directory is that of the user's session, or the user's own", () => {
  assert.equal(controlDirectory({ XDG_RUNTIME_DIR: "/run/user/7" }), "/run/user/7/sallyport");
  const own = process.getuid?.() === 0 ? /^\/run\/sallyport$/ : /sallyport-\d+$/;
  assert.match(controlDirectory({}), own);
  assert.match(controlDirectory({ XDG_RUNTIME_DIR: "relative" }), own);
});

test("it is made for this user alone", (t) => {
  const directory = join(makeFolder(t), "sallyport");
  assert.equal(ownPath(directory), join(directory, `${process.pid}.sock`));
  assert.equal(statSync(directory).mode & 0o777, 0o700);
});

test("a directory that others may enter is not used, nor a link to one", async (t) => {
  const folder = makeFolder(t);
  const [open, closed, link] = ["open", "closed", "link"].map((name) => join(folder, name));
  mkdirSync(open as string);
  chmodSync(open as string, 0o755);
  mkdirSync(closed as string, { mode: 0o700 });
  symlinkSync(closed as string, link as string);
  for (const unfit of [open, link] as string[]) {
    assert.throws(() => ownPath(unfit), {
      code: "ERR_SALLYPORT_ADDRESS_UNUSABLE",
      message: /of this user alone/,
    });
    await assert.rejects(livingSockets(unfit), { code: "ERR_SALLYPORT_ADDRESS_UNUSABLE" });
  }
});

test("sockets that answer are found; files of servers that are gone are removed", async (t) => {
  const directory = join(makeFolder(t), "sallyport");
  const living = ownPath(directory);
  const server = createServer((socket) => socket.destroy());
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(living, resolve));
  const dead = join(directory, "4194305.sock"); // above the kernel's largest process id
  await leaveSocket(dead);
  assert.ok(existsSync(dead));
  assert.deepEqual(await livingSockets(directory), [living]);
  assert.ok(!existsSync(dead));
  assert.deepEqual(await livingSockets(join(directory, "nowhere")), []);
});

test("the next start removes files of servers that were killed, and no others", async (t) => {
  const directory = join(makeFolder(t), "sallyport");
  const own = ownPath(directory);
  const [dead, answering] = [4_194_305, 4_194_306].map((pid) => join(directory, `${pid}.sock`)) as [
    string,
    string,
  ];
  await leaveSocket(dead);
  await leaveSocket(own); // this process lives
  const server = createServer((socket) => socket.destroy());
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(answering, resolve)); // of a process that is not to be seen here
  await sweepSockets(directory);
  assert.deepEqual([dead, own, answering].map(existsSync), [false, true, true]);
});
