// Several server processes on the same addresses: `--server-processes N`.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { type ClientHttp2Session, connect, constants } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder } from "../kit/make-folder.ts";
import { missing } from "../kit/needs.ts";
import { childrenOf, gone } from "../kit/processes.ts";
import { sallyport } from "../kit/run-command.ts";
import { type Served, serve } from "../kit/serve.ts";
import { until } from "../kit/until.ts";

const here = makeFolder();

writeFileSync(
  join(here, "site.mjs"),
  `export default (request, response) => {
  if (request.url === "/die") process.kill(process.pid, "SIGSEGV");
  if (request.url === "/hang") { process.stderr.write("hanging\\n"); for (;;); }
  if (request.url === "/hold") {
    process.stderr.write("holding\\n");
    for (const until = Date.now() + 800; Date.now() < until; );
    return void response.end("held");
  }
  if (request.url === "/slow") {
    process.stderr.write("slow in " + process.pid + "\\n");
    return void setTimeout(() => response.end("slow"), 500);
  }
  response.setHeader("connection", "close");
  response.end(String(process.pid));
};
`,
);
writeFileSync(join(here, "quits.mjs"), "process.kill(process.pid, 'SIGKILL');\n");
writeFileSync(join(here, "broken.mjs"), "throw new Error('no site today');\n");
writeFileSync(
  join(here, "hang.json"),
  JSON.stringify({
    listen: ["127.0.0.1:0"],
    apps: { site: { module: "site.mjs" } },
    serverProcesses: 2,
    serverProcessTimeout: "1s",
    log: { access: "off" },
  }),
);

const start = (...args: string[]): Promise<Served> => serve(args, { cwd: here });

async function pidOf(url: string): Promise<number> {
  return Number(await (await fetch(url)).text());
}

/** The processes that answer, until `count` different ones have. */
async function processesOf(url: string, count: number): Promise<Set<number>> {
  const pids = new Set<number>();
  const give = Date.now() + 30_000;
  while (pids.size < count && Date.now() < give) {
    for (const pid of await Promise.all(Array.from({ length: 8 }, () => pidOf(url)))) pids.add(pid);
  }
  return pids;
}

test("several processes answer at one address, none of them the one that was started", async (t) => {
  const server = await start("site.mjs", "--server-processes", "2");
  t.after(() => server.stop());
  const pids = await processesOf(server.url, 2);
  assert.equal(pids.size, 2);
  assert.ok(!pids.has(server.pid));
});

test("--fronts still works, and the log says once that it is called --server-processes now", async (t) => {
  const server = await start("site.mjs", "--fronts", "2");
  t.after(() => server.stop());
  assert.equal((await processesOf(server.url, 2)).size, 2);
  assert.equal(server.stderr.match(/WARN {2}--fronts is called --server-processes now\n/g)?.length, 1);
});

test("a server process that crashes costs its own requests only, is reported, and is restarted", async (t) => {
  const server = await start("site.mjs", "--server-processes", "2");
  t.after(() => server.stop());
  await assert.rejects(fetch(`${server.url}/die`));
  const [, pid] = await server.sees(
    /server process (\d+) was killed by SIGSEGV: the requests inside it were cut/,
  );
  assert.ok((await pidOf(server.url)) > 0);
  const pids = await processesOf(server.url, 2);
  assert.equal(pids.size, 2);
  assert.ok(!pids.has(Number(pid)));
});

test("SIGHUP replaces the server processes one by one, and no request is lost meanwhile", async (t) => {
  const server = await start("site.mjs", "--server-processes", "2");
  t.after(() => server.stop());
  const before = await processesOf(server.url, 2);
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const slow = ask(`${server.url}/slow`, agent);
  await server.sees(/slow in \d+/);
  process.kill(server.pid, "SIGHUP");
  const replaced = server.sees(/all server processes were replaced/);
  let over = false;
  void replaced.then(() => {
    over = true;
  });
  let answered = 0;
  while (!over) answered += (await pidOf(server.url)) > 0 ? 1 : 0;
  assert.ok(answered > 0);
  assert.equal(await slow, "slow");
  const present = await processesOf(server.url, 2);
  for (const pid of before) assert.ok(!present.has(pid));
  for (const pid of before) await gone(pid);
});

const ask = (url: string, agent: Agent): Promise<string> =>
  new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve(text));
      response.on("error", reject);
    }).on("error", reject);
  });

test("a server process that an application holds for too long is replaced, and the others serve on", async (t) => {
  const server = await start("--config", "hang.json");
  t.after(() => server.stop());
  const hanging = assert.rejects(fetch(`${server.url}/hang`));
  await server.sees(/server process \d+ has been held by an application for \d+ s: it is ended and replaced/);
  await hanging;
  assert.equal((await processesOf(server.url, 2)).size, 2);
});

test("after the parent was stopped and went on, the server processes' silence is not held against them", async (t) => {
  const server = await start("--config", "hang.json");
  t.after(() => server.stop());
  const before = await processesOf(server.url, 2);
  process.kill(server.pid, "SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 2_000)); // twice the time that a server process may be silent
  process.kill(server.pid, "SIGCONT");
  process.kill(server.pid, "SIGHUP");
  await server.sees(/all server processes were replaced/);
  assert.equal((await processesOf(server.url, 2)).size, before.size);
  assert.doesNotMatch(server.stderr, /has been held/);
});

test("SIGTERM ends all of them, requests under way first, with status 0", async () => {
  const server = await start("site.mjs", "--server-processes", "2");
  const pids = await processesOf(server.url, 2);
  const slow = fetch(`${server.url}/slow`).then((response) => response.text());
  await server.sees(/slow in \d+/);
  assert.equal((await server.stop()).code, 0);
  assert.equal(await slow, "slow");
  for (const pid of pids) await gone(pid);
});

test("a server process that an application holds does not hold up SIGTERM for longer than it may be silent", async () => {
  const server = await start("--config", "hang.json");
  const hanging = fetch(`${server.url}/hang`).catch(() => {});
  await server.sees(/hanging/);
  const stopped = server.stop();
  await server.sees(
    /server process \d+ has been held by an application for \d+ s: it is ended; its stack follows/,
  );
  assert.equal((await stopped).code, 0);
  await hanging;
});

test("a stop reaches a server process that is still being loaded", async () => {
  const server = await start("--config", "hang.json");
  const [victim = 0] = await processesOf(server.url, 2);
  process.kill(victim, "SIGKILL");
  await until(() => childrenOf(server.pid).filter((pid) => pid !== victim).length === 2);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

/** The second import of it stops the server. */
const STOPS = `import { existsSync, writeFileSync } from "node:fs";
const first = new URL("first", import.meta.url);
if (existsSync(first)) {
  process.kill(process.ppid, "SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 500));
}
writeFileSync(first, "");
export default (request, response) => response.end();
`;

test("a server that is stopped while it starts does not say later that it serves", async () => {
  writeFileSync(join(here, "stops.mjs"), STOPS);
  const args = ["serve", "stops.mjs", "--server-processes", "2", "--port", "0", "--access-log", "off"];
  const { code, stdout, stderr } = await sallyport(args, here);
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stdout + stderr, /listening on|serve$/m);
});

test("an app that ends its process while it is loaded is reported, and the exit code is 1", async () => {
  const failure = await start("quits.mjs", "--server-processes", "2").then(
    () => "",
    (error: Error) => error.message,
  );
  assert.match(
    failure,
    /a server process could not be started: it was killed by SIGKILL while the app was loaded/,
  );
  assert.match(failure, /ended \(1\)/);
});

test("a reload says how the new server process ended", async (t) => {
  writeFileSync(join(here, "changes.mjs"), "export default (request, response) => response.end('old');\n");
  const server = await start("changes.mjs", "--server-processes", "2");
  t.after(() => server.stop());
  writeFileSync(join(here, "changes.mjs"), "process.kill(process.pid, 'SIGKILL');\n");
  process.kill(server.pid, "SIGHUP");
  await server.sees(
    /the reload failed and the old server processes go on: the new server process was killed by SIGKILL/,
  );
  assert.equal(await (await fetch(server.url)).text(), "old");
});

/** A module whose import takes half a second, which leaves time for what happens meanwhile. */
function slowSite(version: string): void {
  writeFileSync(
    join(here, "slow.mjs"),
    `process.stderr.write("importing ${version}\\n");
await new Promise((resolve) => setTimeout(resolve, 500));
if ("${version}" === "broken") throw new Error("no site today");
export default (request, response) => {
  response.setHeader("connection", "close");
  response.end(request.url === "/pid" ? String(process.pid) : "${version}");
};
`,
  );
}

test("SIGHUP during a reload is not forgotten: in the end every server process has the newest version", async (t) => {
  slowSite("one");
  const server = await start("slow.mjs", "--server-processes", "2");
  t.after(() => server.stop());
  slowSite("two");
  process.kill(server.pid, "SIGHUP");
  await server.sees(/importing two/);
  slowSite("three");
  for (let i = 0; i < 3; i++) process.kill(server.pid, "SIGHUP");
  await server.sees(/all server processes were replaced[\s\S]*all server processes were replaced/);
  const answers = await Promise.all(Array.from({ length: 20 }, async () => (await fetch(server.url)).text()));
  assert.deepEqual(new Set(answers), new Set(["three"]));
});

test("a server process that dies during a reload that fails is replaced all the same", async (t) => {
  slowSite("one");
  const server = await start("slow.mjs", "--server-processes", "2");
  t.after(() => server.stop());
  const [victim = 0] = await processesOf(`${server.url}/pid`, 2);
  slowSite("broken");
  process.kill(server.pid, "SIGHUP");
  await server.sees(/importing broken/);
  process.kill(victim, "SIGKILL");
  await server.sees(/the reload failed and the old server processes go on/);
  slowSite("mended");
  const present = await processesOf(`${server.url}/pid`, 2);
  assert.equal(present.size, 2);
  assert.ok(!present.has(victim));
});

for (const count of ["1", "2"])
  test(`--server-processes ${count}: a client that connects after SIGTERM is refused and does not hang, while a request is under way`, async () => {
    const server = await start("site.mjs", "--server-processes", count);
    const slow = fetch(`${server.url}/slow`).then((response) => response.text());
    await server.sees(/slow in \d+/);
    const stopped = server.stop();
    // A connection that the system makes in the very moment in which the socket is closed is reset; the next one is refused.
    let refused = "";
    while (refused === "" || refused === "ECONNRESET")
      // A new connection each time: a kept one may end just when it is used again.
      await fetch(server.url, { headers: { connection: "close" } }).then(
        (response) => response.text(),
        ({ cause }: Error) => (refused = (cause as NodeJS.ErrnoException).code ?? String(cause)),
      );
    assert.equal(refused, "ECONNREFUSED");
    assert.equal(await slow, "slow");
    assert.equal((await stopped).code, 0);
  });

for (const count of ["1", "2"])
  test(`--server-processes ${count}: a client that connected before SIGTERM is answered, though it was not accepted yet`, async () => {
    const server = await start("site.mjs", "--server-processes", count);
    const held = Array.from({ length: 4 }, () =>
      fetch(`${server.url}/hold`).then((response) => response.text()),
    );
    await server.sees(new RegExp("holding[^]*".repeat(Number(count))));
    const waiting = Array.from({ length: 40 }, () => connected(server.url));
    const sockets = await Promise.all(waiting);
    const answers = sockets.map(answerOf);
    const stopped = server.stop();
    assert.deepEqual(new Set(await Promise.all(answers)), new Set(["HTTP/1.1 200 OK"]));
    assert.deepEqual(new Set(await Promise.all(held)), new Set(["held"]));
    assert.equal((await stopped).code, 0);
  });

/** A connection that the system has established; it may not be accepted yet. */
async function connected(url: string): Promise<Socket> {
  const socket = connectTcp(Number(new URL(url).port), "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

/** The status line of an answer to a request; "" when the connection closes without one. */
async function answerOf(socket: Socket): Promise<string> {
  socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  let text = "";
  socket.setEncoding("latin1").on("data", (piece: string) => (text += piece));
  socket.on("error", (error) => (text ||= error.message));
  await once(socket, "close");
  return text.split("\r\n")[0] ?? "";
}

test("a server process that could not be started for want of descriptors is started later", {
  skip: missing("prlimit"),
}, async (t) => {
  const server = await start("site.mjs", "--server-processes", "2");
  t.after(() => server.stop());
  const [victim = 0] = await processesOf(server.url, 2);
  const limit = (files: string): unknown =>
    execFileSync("prlimit", ["--pid", String(server.pid), `--nofile=${files}`]);
  limit("3:");
  process.kill(victim, "SIGKILL");
  await server.sees(/a server process could not be started: it did not start: .*EMFILE/);
  limit("1000:");
  const present = await processesOf(server.url, 2);
  assert.equal(present.size, 2);
  assert.ok(!present.has(victim));
});

test("when the parent is killed its server processes end, too", async () => {
  const server = await start("site.mjs", "--server-processes", "2");
  const pids = await processesOf(server.url, 2);
  process.kill(server.pid, "SIGKILL");
  for (const pid of pids) await gone(pid);
});

test("an app that cannot start is reported once, and the exit code is 1", async () => {
  const failure = await start("broken.mjs", "--server-processes", "3").then(
    () => "",
    (error: Error) => error.message,
  );
  assert.equal(failure.match(/\[ERR_SALLYPORT_/g)?.length, 1, failure);
  assert.match(failure, /ended \(1\)/);
});

/** Asks for "/" on a session; undefined when it was refused as not taken up, and so is to be asked anew (RFC 9113, 8.7). */
function askHttp2(session: ClientHttp2Session): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":path": "/kept" });
    let text = "";
    stream.setEncoding("utf8").on("data", (piece: string) => (text += piece));
    stream.on("end", () => resolve(text));
    stream.on("error", (error) => {
      if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) resolve(undefined);
      else reject(error);
    });
  });
}

test("SIGHUP loses no request over HTTP/2: clients get GOAWAY, and their responses are complete", async (t) => {
  const server = await start("site.mjs", "--server-processes", "2");
  t.after(() => server.stop());
  const before = await processesOf(server.url, 2);
  let over = false;
  let sessions = 0;
  const client = async (): Promise<void> => {
    while (!over) {
      const session = connect(server.url).on("error", () => {});
      t.after(() => session.destroy());
      let told = false;
      session.on("goaway", () => (told = true));
      sessions++;
      while (!over && !told) assert.match((await askHttp2(session)) ?? "0", /^\d+$/);
      session.close();
    }
  };
  const clients = Promise.all(Array.from({ length: 4 }, client));
  process.kill(server.pid, "SIGHUP");
  await Promise.race([server.sees(/all server processes were replaced/), clients]);
  over = true;
  await clients;
  assert.ok(sessions > 4);
  for (const pid of before) await gone(pid);
});

test("a file of variables that is gone does not keep a server process from being started again", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(
    join(folder, "site.mjs"),
    "export default (request, response) => response.end(process.env.OUR_NAME);",
  );
  const file = join(folder, "vars");
  writeFileSync(file, "OUR_NAME=one\n");
  const server = await serve(["site.mjs", "--env-file", "vars", "--server-processes", "2"], { cwd: folder });
  t.after(() => server.stop());
  rmSync(file);
  const before = childrenOf(server.pid);
  for (const pid of before) process.kill(pid, "SIGKILL");
  await until(() => childrenOf(server.pid).filter((pid) => !before.includes(pid)).length >= 2);
  assert.equal(await (await fetch(server.url)).text(), "one");
});
