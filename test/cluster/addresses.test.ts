// Where several server processes listen: a Unix socket with its mode, a socket that was passed on, TLS; one log for all of them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { Agent, get, type RequestOptions } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { makeCertificate } from "../kit/make-certificate.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { needs } from "../kit/needs.ts";
import { type Served, type ServeOptions, serve, serveBy } from "../kit/serve.ts";

const here = makeFolder();
writeFileSync(
  join(here, "site.mjs"),
  "export default (request, response) => response.end(String(process.pid));\n",
);

const start = (args: readonly string[], options: ServeOptions = {}): Promise<Served> =>
  serve(["site.mjs", "--server-processes", "2", ...args], { cwd: here, ...options });

/** Asks on `count` connections that are all open at the same time; gives how many of them each server process has. */
async function connections(to: RequestOptions, count: number): Promise<Map<string, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: count });
  const pids = await Promise.all(Array.from({ length: count }, () => pidOf({ ...to, agent })));
  agent.destroy();
  const counts = new Map<string, number>();
  for (const pid of pids) counts.set(pid, (counts.get(pid) ?? 0) + 1);
  return counts;
}

const pidOf = (to: RequestOptions): Promise<string> =>
  new Promise((resolve, reject) => {
    get(to, (response) => {
      response
        .setEncoding("utf8")
        .toArray()
        .then((parts) => resolve(parts.join("")), reject);
    }).once("error", reject);
  });

/** Until each of two server processes has at least `least` of 32 connections; the system decides which of them accepts. */
async function shared(to: RequestOptions, least: number): Promise<void> {
  let seen: number[] = [];
  for (let round = 0; round < 20; round++) {
    seen = [...(await connections(to, 32)).values()];
    if (seen.length === 2 && Math.min(...seen) >= least) return;
  }
  assert.fail(`the last of 20 rounds: ${seen.join(" and ")}`);
}

const place = ({ url }: Served): RequestOptions => {
  const { hostname: host, port } = new URL(url);
  return { host, port };
};

test("kept connections are spread over the server processes, not all given to the one that is quicker", async (t) => {
  const server = await start([]);
  t.after(() => server.stop());
  await shared(place(server), 10);
});

test("server processes share a Unix socket that has the mode it is to have, and its file goes with the last", async () => {
  const path = join(here, "app.sock");
  const server = await start(["--unix", path, "--unix-mode", "600"]);
  assert.equal(server.url, `unix:${path}`);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await shared({ socketPath: path }, 4);
  assert.equal((await server.stop()).code, 0);
  assert.equal(existsSync(path), false);
});

test("the path of a Unix socket starts beside the configuration, in any number of server processes", async () => {
  for (const serverProcesses of [1, 2]) {
    const folder = makeFolder();
    const config = join(folder, "sallyport.json");
    const apps = { site: { module: join(here, "site.mjs") } };
    writeFileSync(config, JSON.stringify({ listen: ["unix:app.sock"], serverProcesses, apps }));
    const server = await serve(["--config", config], { cwd: here });
    assert.equal(server.url, `unix:${join(folder, "app.sock")}`);
    assert.ok(await pidOf({ socketPath: join(folder, "app.sock") }));
    await server.stop();
  }
});

test("a Unix socket of a server that runs is not taken away from it", async (t) => {
  const path = join(here, "taken.sock");
  const server = await start(["--unix", path]);
  t.after(() => server.stop());
  await assert.rejects(start(["--unix", path]), /belongs to a server that is running/);
  assert.ok(await pidOf({ socketPath: path }));
});

test("a port that is taken is reported in the same words as for one process", async (t) => {
  const server = await start([]);
  t.after(() => server.stop());
  const port = String(place(server).port);
  await assert.rejects(start(["--port", port]), /another program is listening there; .*ADDRESS_UNUSABLE/s);
});

test("a port or path that is listed twice is said to be ours, with any number of server processes", async (t) => {
  const config = join(makeFolder(t), "sallyport.json");
  const apps = { site: { module: join(here, "site.mjs") } };
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as { port: number };
  taken.close();
  for (const serverProcesses of [1, 2])
    for (const listen of [
      [`127.0.0.1:${port}`, `127.0.0.1:${port}`],
      [`127.0.0.1:${port}`, `0.0.0.0:${port}`],
      ["unix:app.sock", "unix:app.sock"],
    ]) {
      writeFileSync(config, JSON.stringify({ listen, serverProcesses, apps }));
      await assert.rejects(
        serve(["--config", config], { cwd: here }),
        /this process itself listens there[,;].*ADDRESS_UNUSABLE/s,
        `${serverProcesses} ${listen}`,
      );
    }
});

test("server processes share a socket that was passed on as a descriptor", async (t) => {
  const socket = createServer().listen(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address() as { port: number };
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  const server = await start(["--fd", "3"], { passed: [fd] });
  t.after(() => server.stop());
  socket.close();
  await shared({ host: "127.0.0.1", port }, 4);
});

test("server processes share the sockets that systemd passes", async (t) => {
  const socket = createServer().listen(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address() as { port: number };
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  const bin = join(import.meta.dirname, "../../bin/sallyport.js");
  const command = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", process.execPath, bin, "serve"];
  const options = { cwd: here, env: { LISTEN_FDS: "1" }, passed: [fd] };
  const server = await serveBy([...command, "site.mjs", "--server-processes", "2"], options);
  t.after(() => server.stop());
  socket.close();
  await shared({ host: "127.0.0.1", port }, 4);
});

test("server processes speak TLS with the same certificate, and with a new one after SIGHUP", async (t) => {
  if (!needs(t, "openssl", "curl")) return;
  const { cert, options, remove } = makeCertificate();
  t.after(remove);
  const server = await start(options);
  t.after(() => server.stop());
  const pids = new Set<string>();
  for (let i = 0; i < 60 && pids.size < 2; i++) pids.add(await fetched(server.url, cert));
  assert.equal(pids.size, 2);
  makeCertificate(join(cert, ".."));
  process.kill(server.pid, "SIGHUP");
  await server.sees(/all server processes were replaced/);
  assert.ok(!pids.has(await fetched(server.url, cert)));
});

const fetched = async (url: string, cert: string): Promise<string> =>
  (await promisify(execFile)("curl", ["-sS", "--max-time", "60", "--cacert", cert, url])).stdout;

test("the server processes write one access log, which is opened anew by all of them when it was moved", async (t) => {
  const log = join(here, "access.log");
  const server = await start(["--access-log", log]);
  t.after(() => server.stop());
  await connections(place(server), 32);
  await lines(log, 32);
  renameSync(log, `${log}.1`);
  process.kill(server.pid, "SIGUSR1");
  while (!existsSync(log)) await connections(place(server), 2);
  const old = readFileSync(`${log}.1`, "utf8").split("\n");
  assert.ok(old.slice(0, -1).every((line) => / "GET \/ HTTP\/1\.1" 200 /.test(line)));
});

/** Resolves when the file has so many whole lines. */
async function lines(path: string, count: number): Promise<void> {
  const give = Date.now() + 30_000;
  const present = (): number => readFileSync(path, "utf8").split("\n").length - 1;
  while (present() < count && Date.now() < give) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(present(), count);
}

test("a descriptor that is not open, or no socket, is told as it was written", async () => {
  const file = openSync(join(here, "site.mjs"), "r");
  await assert.rejects(
    start(["--fd", "42"]),
    /cannot listen at fd:42: no such descriptor is open.*ADDRESS_UNUSABLE/s,
  );
  await assert.rejects(
    start(["--fd", "3"], { passed: [file] }),
    /cannot listen at fd:3: it is not a listening socket.*ADDRESS_UNUSABLE/s,
  );
});

test("a temporary directory that cannot be written is told with what to do", async () => {
  const gone = join(here, "gone");
  await assert.rejects(
    start([], { env: { TMPDIR: gone } }),
    /temporary directory.*ENOENT.*set TMPDIR.*CONFIG_INVALID/s,
  );
});
