// Programs that we start and that cannot be used any more, though they live: their sockets are gone, or they hang.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { FastcgiOptions } from "../../../../src/protocols/fastcgi/index.ts";
import { makeFolder } from "../../../kit/make-folder.ts";
import { isAlive } from "../../../kit/processes.ts";
import { type StartedGateway, startGateway } from "../raw-application.ts";

const BIN = fileURLToPath(new URL("../../../../bin/sallyport.js", import.meta.url));
const LINUX = { skip: process.platform !== "linux" && "/proc/net/unix is Linux's" };

interface Started extends StartedGateway {
  /** Where temporary files go. */
  readonly temporary: string;
  pid(): Promise<number>;
}

/** A gateway to an app of ours, whose sockets are below `temporary`. */
async function started(t: TestContext, options: FastcgiOptions = {}, below = ""): Promise<Started> {
  const folder = makeFolder(t);
  const file = join(folder, "app.mjs");
  writeFileSync(file, "export default () => new Response(String(process.pid));");
  const temporary = join(folder, below);
  mkdirSync(temporary, { recursive: true });
  setTemporary(t, temporary);
  const command = [process.execPath, BIN, "serve", file, "--access-log", "off"];
  const gateway = await startGateway(t, { command, keep: false, ...options });
  const pid = async (): Promise<number> => {
    const { status, body } = await gateway.ask();
    assert.equal(status, 200, body.toString());
    return Number(body.toString());
  };
  return { ...gateway, temporary, pid };
}

function setTemporary(t: TestContext, folder: string): void {
  const { TMPDIR } = process.env;
  process.env.TMPDIR = folder;
  t.after(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  });
}

/** The directory of sockets in `temporary`. */
function socketsIn(temporary: string): string {
  const directory = readdirSync(temporary)
    .map((name) => join(temporary, name))
    .find((path) => existsSync(join(path, "1")));
  assert.ok(directory, "there is none");
  return directory;
}

test("a process whose socket was removed is replaced, in a new directory, and the request waits for it", async (t) => {
  const { temporary, pid, logged } = await started(t);
  const first = await pid();
  rmSync(socketsIn(temporary), { recursive: true });
  const second = await pid();
  assert.notEqual(second, first);
  const { fields } = await logged(/is replaced: cannot connect to unix:.*: there is no such socket/);
  assert.equal(fields.code, "ERR_SALLYPORT_UPSTREAM_UNREACHABLE");
  assert.equal(await pid(), second);
});

test("the system knows a socket by the path at which its file is, so that cleaners spare it", LINUX, async (t) => {
  const { temporary } = await started(t);
  const path = join(socketsIn(temporary), "1");
  assert.ok(readFileSync("/proc/net/unix", "utf8").split(/\s/).includes(path));
});

test("where the path of a socket would be too long, it is in a directory of /tmp", async (t) => {
  const { temporary, pid } = await started(t, {}, "x".repeat(90));
  assert.ok(isAlive(await pid()));
  const sockets = readdirSync(temporary, { recursive: true }).filter((name) => /(^|\/)\d+$/.test(String(name)));
  assert.deepEqual(sockets, []);
});

test("a request that no process of ours can be reached for is 502, and does not wait for ever", async (t) => {
  const folder = makeFolder(t);
  // It closes its socket at once, and lives.
  const command = ["/bin/sh", "-c", "exec 0<&-; exec sleep 600"];
  setTemporary(t, folder);
  const { ask } = await startGateway(t, { command });
  const { status, body } = await ask();
  assert.equal(status, 502);
  assert.match(body.toString(), /ERR_SALLYPORT_UPSTREAM_UNREACHABLE/);
});
