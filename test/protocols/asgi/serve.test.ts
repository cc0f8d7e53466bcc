// An ASGI application served by the command line: its interface found, started, stopped by signals (edge cases A8, L3).
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { makeFolder } from "../../kit/make-folder.ts";
import { sallyport } from "../../kit/run-command.ts";
import { type Served, serve } from "../../kit/serve.ts";
import { APPS, ending } from "../../kit/start-asgi.ts";
import { until } from "../../kit/until.ts";

interface Site {
  readonly server: Served;
  readonly file: string;
  records(): string;
  socket(path: string): Promise<WebSocket>;
}

async function site(t: TestContext, ...args: string[]): Promise<Site> {
  const folder = makeFolder(t);
  const notes = join(folder, "records");
  writeFileSync(notes, "");
  const options = { cwd: APPS, env: { PAGES_LOG: notes } };
  const server = await serve(["pages:application", "--python", "python3", ...args], options);
  t.after(() => server.stop());
  return {
    server,
    file: join(folder, "go"),
    records: () => readFileSync(notes, "utf8"),
    async socket(path) {
      const client = new WebSocket(server.url.replace("http", "ws") + path);
      client.on("error", () => {});
      t.after(() => client.terminate());
      await once(client, "open");
      return client;
    },
  };
}

test("SIGTERM: requests finish, event streams say goodbye, WebSockets get 1001, the shutdown runs, and it exits with 0", async (t) => {
  const { server, file, records, socket } = await site(t);
  const closed = ending(await socket("/"));
  const events = await fetch(`${server.url}/events`);
  const under = fetch(`${server.url}/never-receive?file=${file}`);
  await until(() => records().includes("running"));
  process.kill(server.pid, "SIGTERM");
  assert.match(await closed, /^1001/);
  assert.equal(await events.text(), "data: hello\n\ndata: bye\n\n");
  writeFileSync(file, "");
  assert.equal(await (await under).text(), "done\n");
  assert.deepEqual(await server.exited, { code: 0, signal: null });
  assert.match(records(), /shutdown\n$/);
});

test("what goes on when the grace is over is cut, and the shutdown runs all the same (L3)", async (t) => {
  const { server, records } = await site(t, "--grace", "300ms");
  const events = await fetch(`${server.url}/slow-events`);
  const cut = assert.rejects(events.text());
  process.kill(server.pid, "SIGTERM");
  await cut;
  assert.deepEqual(await server.exited, { code: 0, signal: null });
  assert.match(records(), /shutdown\n$/);
});

test("SIGHUP replaces the application, and its WebSockets are closed with 1012", async (t) => {
  const { server, records, socket } = await site(t);
  const before = await (await fetch(`${server.url}/pid`)).text();
  const closed = ending(await socket("/"));
  process.kill(server.pid, "SIGHUP");
  assert.match(await closed, /^1012/);
  assert.notEqual(await (await fetch(`${server.url}/pid`)).text(), before);
  await until(() => records().includes("shutdown"));
});

test("a startup that raises is shown with its traceback, and the exit code is 1", async (t) => {
  const folder = makeFolder(t);
  const source =
    "async def app(scope, receive, send):\n    await receive()\n    raise OSError('no database')\n";
  writeFileSync(join(folder, "shop.py"), source);
  const args = ["serve", "shop:app", "--python", "python3", "--lifespan", "on", "--port", "0"];
  const { code, stderr } = await sallyport(args, folder);
  assert.equal(code, 1);
  assert.match(stderr, /shop\.py", line 3, in app[\s\S]*OSError: no database/);
});
