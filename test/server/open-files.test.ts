// A server that may open few files: clients cannot use them up, and what could not be started without them is started later.
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeFolder } from "../kit/make-folder.ts";
import { pythons } from "../kit/pythons.ts";
import { type Served, serveBy } from "../kit/serve.ts";

const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));
const FILES = 128;
const here = makeFolder();

writeFileSync(
  join(here, "pid_site.py"),
  `import os
def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
`,
);
writeFileSync(
  join(here, "pid.mjs"),
  "export default (request, response) => response.end(String(process.pid));\n",
);
writeFileSync(join(here, "script"), "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s' $$\n", {
  mode: 0o755,
});
// Takes every descriptor that the server has left, and gives them back.
writeFileSync(
  join(here, "hoard.mjs"),
  `import { closeSync, openSync } from "node:fs";
let hoard = [];
export default (request, response) => {
  const had = hoard.length;
  try {
    if (request.url.endsWith("take")) for (;;) hoard.push(openSync("/dev/null"));
    for (const fd of hoard.splice(0)) closeSync(fd);
  } catch {}
  response.end(String(hoard.length - had));
};
`,
);
writeFileSync(
  join(here, "site.json"),
  JSON.stringify({
    listen: ["127.0.0.1:0"],
    apps: {
      wsgi: { wsgi: "pid_site:wsgi", python: pythons()[0]?.path },
      fastcgi: { fastcgi: { command: [process.execPath, BIN, "serve", "pid.mjs"] } },
      cgi: { cgi: "script" },
      hoard: { module: "hoard.mjs" },
    },
    routes: ["wsgi", "fastcgi", "cgi", "hoard"].map((app) => ({ path: `/${app}`, app })),
    log: { access: "off" },
  }),
);

async function startWithFewFiles(t: TestContext): Promise<Served> {
  const limited = ["/bin/sh", "-c", `ulimit -n ${FILES} && exec "$0" "$@"`];
  const command = [...limited, process.execPath, BIN, "serve", "--config", "site.json"];
  const server = await serveBy(command, { cwd: here });
  t.after(() => server.stop());
  return server;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Asks by one connection, which is there when no other can be. */
function asker(t: TestContext, url: string): (path: string) => Promise<Answer> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  return (path) =>
    new Promise((resolve, reject) => {
      get(`${url}${path}`, { agent }, (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (piece: string) => (body += piece));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      }).on("error", reject);
    });
}

test("without a free descriptor nothing can be started, the server lives on, and starts all of it later", async (t) => {
  const server = await startWithFewFiles(t);
  const ask = asker(t, server.url);
  const apps = ["/wsgi", "/fastcgi"];
  const pids: number[] = [];
  for (const app of apps) pids.push(Number((await ask(app)).body));
  assert.equal((await ask("/cgi")).status, 200);
  assert.ok(Number((await ask("/hoard/take")).body) > 10);
  process.kill(server.pid, "SIGHUP");
  await server.sees(/the reload failed and the old generation goes on: .*EMFILE/);
  for (const pid of pids) process.kill(pid, "SIGKILL");
  await server.sees(/a worker did not start; another starts in/);
  await server.sees(/was killed by SIGKILL; another starts/);
  await ask("/hoard/take"); // also those of the dead
  assert.notEqual((await ask("/cgi")).status, 200);
  await ask("/hoard/give");
  const give = Date.now() + 60_000;
  for (const app of [...apps, "/cgi"]) {
    let answer = await ask(app);
    while (answer.status !== 200 && Date.now() < give) answer = await ask(app);
    assert.equal(answer.status, 200, app);
    assert.ok(!pids.includes(Number(answer.body)));
  }
});

test("idle clients cannot use up all descriptors: those beyond get a refusal, and are served when others have left", async (t) => {
  const server = await startWithFewFiles(t);
  const idle = await Promise.all(Array.from({ length: FILES }, () => opened(t, server.url)));
  const last = await answerOf(await opened(t, server.url));
  assert.match(last, /^HTTP\/1\.1 503 [\s\S]*ERR_SALLYPORT_QUEUE_FULL/);
  process.kill(server.pid, "SIGHUP");
  await server.sees(/app wsgi was reloaded/);
  for (const socket of idle) socket.destroy();
  let answer = last;
  const give = Date.now() + 60_000;
  while (!answer.startsWith("HTTP/1.1 200") && Date.now() < give)
    answer = await answerOf(await opened(t, server.url));
  assert.match(answer, /^HTTP\/1\.1 200/);
});

async function opened(t: TestContext, url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1").on("error", () => {});
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

async function answerOf(socket: Socket): Promise<string> {
  let text = "";
  socket.setEncoding("latin1").on("data", (piece: string) => (text += piece));
  socket.write("GET /wsgi HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  if (!socket.closed) await once(socket, "close");
  return text;
}
