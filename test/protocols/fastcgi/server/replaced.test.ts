// Programs that we start and that cannot be used any more, though they live: their sockets are gone, or they hang.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { FastcgiOptions } from "../../../../src/protocols/fastcgi/index.ts";
import { makeFolder } from "../../../kit/make-folder.ts";
import { needs } from "../../../kit/needs.ts";
import { gone, isAlive } from "../../../kit/processes.ts";
import { until } from "../../../kit/until.ts";
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

test(
  "the system knows a socket by the path at which its file is, so that cleaners spare it",
  LINUX,
  async (t) => {
    const { temporary } = await started(t);
    const path = join(socketsIn(temporary), "1");
    assert.ok(readFileSync("/proc/net/unix", "utf8").split(/\s/).includes(path));
  },
);

test("a process that ends leaves no file behind, however often one is replaced", async (t) => {
  const { temporary, pid, gateway } = await started(t);
  const directory = socketsIn(temporary);
  for (let restarts = 1; restarts <= 3; restarts++) {
    process.kill(await pid(), "SIGKILL");
    await until(() => gateway.status?.().restarts === restarts && gateway.status?.().processes.length === 1);
  }
  await pid();
  assert.deepEqual(readdirSync(directory), ["4"]);
});

test("where the path of a socket would be too long, it is in a directory of /tmp", async (t) => {
  const { temporary, pid } = await started(t, {}, "x".repeat(90));
  assert.ok(isAlive(await pid()));
  const sockets = readdirSync(temporary, { recursive: true }).filter((name) =>
    /(^|\/)\d+$/.test(String(name)),
  );
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

const HANGING_SCRIPT = `<?php
if ($_SERVER["QUERY_STRING"] === "hang") while (true) usleep(1000);
usleep(intval($_SERVER["QUERY_STRING"])); echo getmypid();`;

/** php-cgi with one script, which hangs or sleeps as its query says. */
async function startPhp(t: TestContext, options: FastcgiOptions): Promise<StartedGateway> {
  const root = makeFolder(t);
  writeFileSync(join(root, "a.php"), HANGING_SCRIPT);
  return startGateway(t, { command: ["php-cgi"], root, ...options });
}

const pidAt = async ({ ask }: StartedGateway, query = ""): Promise<string> => {
  const { status, body } = await ask({ target: `/a.php?${query}` });
  assert.equal(status, 200, body.toString());
  return body.toString();
};

test("W13: php-cgi: a script that hangs is 504, its process is replaced, and others wait for no hanging one", async (t) => {
  if (!needs(t, "php-cgi")) return;
  const server = await startPhp(t, { processes: 2, timeout: 1_000, queueTimeout: 20_000 });
  const pids = new Set<string>();
  while (pids.size < 2) pids.add(await pidAt(server));
  const { status } = await server.ask({ target: "/a.php?hang" });
  assert.equal(status, 504);
  const others = await Promise.all(Array.from({ length: 8 }, () => pidAt(server, "20000")));
  assert.ok(others.every((pid) => pids.has(pid)));
  const { fields, message } = await server.logged(/^php-cgi \(\d+\) hangs: .* it is ended and replaced$/);
  assert.equal(fields.code, "ERR_SALLYPORT_APP_TIMEOUT");
  const [hung] = /\d+/.exec(message) ?? [];
  assert.ok(pids.has(String(hung)));
  await gone(Number(hung));
  while (pids.size < 3) pids.add(await pidAt(server));
});

test("php-cgi: a script whose client has left may end, and its process gets no request before", async (t) => {
  if (!needs(t, "php-cgi")) return;
  const server = await startPhp(t, { processes: 1, timeout: 20_000 });
  const pid = await pidAt(server);
  const leaving = server.exchange({ target: "/a.php?3000000" });
  await until(() => server.gateway.status?.().processes[0]?.state === "busy");
  leaving.hangUp();
  assert.equal(await pidAt(server), pid);
  assert.ok(!server.lines.some(({ message }) => / hangs: /.test(message)));
});

test("W13: an app on a shared connection that blocks its event loop is ended and replaced", async (t) => {
  const file = join(makeFolder(t), "app.mjs");
  writeFileSync(
    file,
    `export default ({ url }) => { if (url.endsWith("hang")) for (;;); return new Response(String(process.pid)); };`,
  );
  const command = [process.execPath, BIN, "serve", file, "--access-log", "off"];
  const { ask, logged } = await startGateway(t, { command, timeout: 1_000 });
  const first = (await ask()).body.toString();
  const { status } = await ask({ target: "/hang" });
  assert.equal(status, 504);
  await logged(/ hangs: .* it is ended and replaced$/);
  const next = await ask();
  assert.equal(next.status, 200);
  assert.notEqual(next.body.toString(), first);
  await gone(Number(first));
});

test("a program that takes longer to start than requests may take is not ended: they are 504 until it is there", async (t) => {
  const folder = makeFolder(t);
  const [app, starts] = [join(folder, "app.mjs"), join(folder, "starts")];
  writeFileSync(app, "export default () => new Response(String(process.pid));");
  const slowly = 'echo $$ >> "$0"; sleep 7; exec "$@"';
  const command = [
    "/bin/sh",
    "-c",
    slowly,
    starts,
    process.execPath,
    BIN,
    "serve",
    app,
    "--access-log",
    "off",
  ];
  const { ask, lines } = await startGateway(t, { command, processes: { min: 0, max: 1 }, timeout: 1_000 });
  const awake = setInterval(() => {}, 60_000);
  t.after(() => clearInterval(awake));
  const answers = [await ask()];
  while (answers.at(-1)?.status === 504) answers.push(await ask());
  const last = answers.at(-1)?.body.toString();
  assert.equal(readFileSync(starts, "utf8"), `${last}\n`);
  assert.ok(answers.length > 2, `${answers.length} answers`);
  assert.ok(!lines.some(({ message }) => / hangs: /.test(message)));
});

/** As HANGING_SCRIPT, but a signal does not end its sleep early. */
const WORKING_SCRIPT = `<?php
if ($_SERVER["QUERY_STRING"] === "hang") while (true) usleep(1000);
for ($end = microtime(true) + intval($_SERVER["QUERY_STRING"]) / 1e6; microtime(true) < $end; ) usleep(1000);
echo getmypid();`;

test("php-cgi: where one of its children hangs, and all others are at work, those are not ended with it", async (t) => {
  if (!needs(t, "php-cgi")) return;
  const root = makeFolder(t);
  writeFileSync(join(root, "a.php"), WORKING_SCRIPT);
  const env = { PHP_FCGI_CHILDREN: "2" };
  const { ask, lines } = await startGateway(t, { command: ["php-cgi"], root, env, timeout: 5_000 });
  const hanging = ask({ target: "/a.php?hang" });
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  const working = ask({ target: "/a.php?4500000", method: "POST", body: "x" });
  assert.equal((await hanging).status, 504);
  assert.equal((await working).status, 200);
  assert.ok(!lines.some(({ message }) => / hangs: /.test(message)));
});

test("a request whose process ends, but not what it has started, is told so", async (t) => {
  const file = join(makeFolder(t), "app.mjs");
  writeFileSync(
    file,
    `export default () => {
  process.kill(process.ppid, "SIGKILL");
  setTimeout(process.exit, 2_000);
  return new Promise(() => {});
};`,
  );
  // The shell is the process that we have started.
  const command = ["/bin/sh", "-c", 'exec 3<&0; "$@" <&3 & wait', "sh", process.execPath, BIN, "serve", file];
  const { ask, logged } = await startGateway(t, { command });
  const { status, body } = await ask({ method: "POST", body: "x" });
  assert.deepEqual(
    [status, /ERR_SALLYPORT_\w+/.exec(body.toString())?.[0]],
    [502, "ERR_SALLYPORT_UPSTREAM_BROKEN"],
  );
  await logged(/sh was killed by SIGKILL/);
});
