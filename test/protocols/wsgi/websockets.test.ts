// WebSockets of WSGI applications with threads: with the library that Flask-Sock and Flask-SocketIO use, behind whole servers.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { connect } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "../../../src/config/config.ts";
import { toUpgradeHandler } from "../../../src/mount/index.ts";
import { wsgi } from "../../../src/protocols/wsgi/index.ts";
import { createServer } from "../../../src/server/create.ts";
import { type KeptLog, keepLog } from "../../kit/keep-log.ts";
import { makeCertificate } from "../../kit/make-certificate.ts";
import { makeFolder } from "../../kit/make-folder.ts";
import { missing, VENV_PYTHON } from "../../kit/needs.ts";
import { APPS } from "../../kit/start-wsgi.ts";
import { until } from "../../kit/until.ts";
import { WebSocketClient } from "../../kit/websocket-client.ts";

interface Started extends Pick<KeptLog, "lines" | "logged"> {
  readonly url: string;
  /** The working directory of the app. */
  readonly folder: string;
  readonly server: ReturnType<typeof createServer>;
  open(path: string, protocols?: string[]): Promise<WebSocketClient>;
  /** Resolves with the first line that the app has noted and that matches. */
  noted(pattern: RegExp): Promise<string>;
}

async function started(
  t: TestContext,
  app: object = { threads: 4 },
  more: Partial<Config> = {},
): Promise<Started> {
  const folder = makeFolder(t);
  const notes = join(folder, "notes");
  symlinkSync(join(APPS, "sockets.py"), join(folder, "sockets.py"));
  const { log, lines, logged } = keepLog();
  const site = {
    wsgi: "sockets:app",
    chdir: folder,
    python: VENV_PYTHON,
    env: { NOTES: notes },
    ...app,
  };
  const server = createServer({ listen: ["127.0.0.1:0"], ...more, apps: { site } } as Config, { log });
  const clients: WebSocketClient[] = [];
  t.after(async () => {
    for (const { socket } of clients) socket.terminate();
    await server.stop(0);
  });
  const url = `${(await server.start())[0]}`;
  const all = (): string[] => (existsSync(notes) ? readFileSync(notes, "utf8").split("\n") : []);
  return {
    url,
    folder,
    lines,
    logged,
    server,
    async open(path, protocols = []) {
      const client = await WebSocketClient.open(url + path, protocols, { rejectUnauthorized: false });
      clients.push(client);
      return client;
    },
    async noted(pattern) {
      await until(() => all().some((line) => pattern.test(line)));
      return all().find((line) => pattern.test(line)) as string;
    },
  };
}

const errors = ({ lines }: Started): string[] =>
  lines.filter(({ level }) => level === "error").map(({ message }) => message);

describe("WebSockets under WSGI", { skip: missing("py:simple_websocket") }, () => {
  for (const secure of [false, true])
    test(`messages of every size pass both ways, ${secure ? "with" : "without"} TLS`, async (t) => {
      const { cert, key, remove } = makeCertificate();
      t.after(remove);
      const listen = secure ? [{ address: "127.0.0.1:0", tls: { cert, key } }] : ["127.0.0.1:0"];
      const site = await started(t, undefined, { listen } as Partial<Config>);
      const client = await site.open("/echo", ["chat", "other"]);
      assert.deepEqual([client.socket.protocol, client.socket.extensions], ["chat", "permessage-deflate"]);
      for (const size of [0, 1, 125, 126, 65_535, 65_536, 65_537, 1_000_000]) {
        const text = "é".repeat(size);
        assert.equal(await client.say(text).hear(), text, `${size} characters`);
        const bytes = Buffer.alloc(size, "x\u00e9");
        assert.deepEqual(await client.say(bytes).hear(), bytes, `${size} bytes`);
      }
      client.say("bye");
      assert.deepEqual(await client.closed, { code: 3001, reason: "so long" });
      assert.deepEqual(errors(site), []);
    });

  test("the same over HTTP/2 (RFC 8441)", async (t) => {
    const { cert, key, remove } = makeCertificate();
    t.after(remove);
    const listen = [{ address: "127.0.0.1:0", tls: { cert, key } }];
    const { url } = await started(t, undefined, { listen } as Partial<Config>);
    const session = connect(url, { rejectUnauthorized: false });
    t.after(() => session.destroy());
    await once(session, "remoteSettings");
    const stream = session.request(
      { ":method": "CONNECT", ":protocol": "websocket", ":path": "/echo", "sec-websocket-version": "13" },
      { endStream: false },
    );
    const [head] = await once(stream, "response");
    assert.equal(head[":status"], 200);
    stream.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
    assert.deepEqual((await once(stream, "data"))[0], Buffer.from([0x81, 2, 0x68, 0x69]));
  });

  test("the same mounted in a server of node:http", async (t) => {
    const { log } = keepLog();
    const gateway = wsgi("sockets:app", { chdir: APPS, python: VENV_PYTHON, threads: 2, log });
    const sockets = toUpgradeHandler(gateway, { mount: "/py", log });
    const host = createHttpServer().on("upgrade", sockets).listen(0, "127.0.0.1");
    t.after(async () => {
      host.close();
      await sockets.close(0);
    });
    await once(host, "listening");
    const url = `http://127.0.0.1:${(host.address() as AddressInfo).port}/py`;
    const client = await WebSocketClient.open(`${url}/echo`, ["chat"]);
    assert.equal(client.socket.protocol, "chat");
    const bytes = randomBytes(300_000);
    assert.deepEqual(await client.say(bytes).hear(), bytes);
    client.say("bye");
    assert.deepEqual(await client.closed, { code: 3001, reason: "so long" });
    assert.equal((await WebSocketClient.refused(`${url}/plain`)).head.statusCode, 418);
  });

  test("an app that takes no socket answers as it answers any request", async (t) => {
    const { url } = await started(t);
    const { head, body } = await WebSocketClient.refused(`${url}/plain`);
    assert.deepEqual([head.statusCode, body], [418, "GET ['gunicorn.socket'] None"]);
    assert.equal((await WebSocketClient.refused(`${url}/pieces`)).body, "one, two");
    assert.equal(await (await fetch(`${url}/plain`)).text(), "GET [] None");
  });

  for (const [mode, app] of Object.entries({
    "without threads": {},
    embedded: { mode: "embedded" },
  }))
    test(`${mode} there is no socket`, async (t) => {
      const { url } = await started(t, app);
      const { head, body } = await WebSocketClient.refused(`${url}/plain`);
      assert.equal(head.statusCode, 418);
      assert.match(body, /^GET \[\]/);
    });

  test("the code and the reason with which the client closes are the application's", async (t) => {
    const { open, noted } = await started(t);
    const client = await open("/echo");
    assert.equal((await client.close(4321, "enough")).code, 4321);
    assert.equal(await noted(/^closed/), "closed 4321 enough");
  });

  for (const [path, words] of Object.entries({
    "/raises": /ValueError: before the handshake/,
    "/writes-nonsense": /has no status line/,
    "/closes-its-end": /StopIteration/,
  }))
    test(`500 to the handshake: ${path}`, async (t) => {
      const { url, logged } = await started(t);
      const { head } = await WebSocketClient.refused(url + path);
      assert.equal(head.statusCode, 500);
      await logged(words);
    });

  test("an app may refuse with an answer on the socket", async (t) => {
    const { url } = await started(t);
    const { head, body } = await WebSocketClient.refused(`${url}/refuses-itself`);
    assert.deepEqual([head.statusCode, body], [403, "no\n"]);
  });

  for (const [path, words] of Object.entries({
    "/raises-later": /ValueError: after the handshake/,
    "/forgets": /ended its WebSocket without/,
  }))
    test(`an open WebSocket ends with 1011: ${path}`, async (t) => {
      const { open, logged } = await started(t);
      const client = await open(path);
      assert.equal(await client.hear(), "open");
      assert.equal((await client.closed).code, 1011);
      await logged(words);
    });

  test("a message of more than 128 MiB is the application's fault, before it is in memory", async (t) => {
    const { open, logged } = await started(t);
    const client = await open("/announces-too-much");
    assert.equal((await client.closed).code, 1011);
    await logged(/what the application wrote is no frame: Max payload size exceeded/);
  });

  test("an app that sends to a client that does not read waits, and learns that the client has left", async (t) => {
    const site = await started(t);
    const client = await site.open("/floods");
    client.socket.pause();
    const [, sent] = (await site.noted(/^sent/)).split(" ");
    assert.ok(Number(sent) < 16_000_000, `${sent} bytes`); // the rest is the kernel's
    client.socket.terminate();
    assert.match(await site.noted(/^left/), /BrokenPipeError|ConnectionClosed/);
    assert.deepEqual(errors(site), []);
  });

  test("a client that sends to an app that does not read waits; nothing is lost", async (t) => {
    const { open, folder, noted } = await started(t);
    const client = await open("/deaf");
    const message = randomBytes(100_000); // compressed it is no smaller
    for (let i = 0; i < 200; i++) client.say(message);
    await until(() => client.socket.bufferedAmount < 20_000_000);
    let waiting = 0;
    for (let same = 0; same < 10; await delay(50)) {
      same = client.socket.bufferedAmount === waiting ? same + 1 : 0;
      waiting = client.socket.bufferedAmount;
    }
    assert.ok(waiting > 5_000_000, `${waiting} bytes`);
    writeFileSync(join(folder, "listen"), "");
    client.socket.close(1000);
    const frame = message.length + 10 + 4; // as a client's: masked
    assert.equal(await noted(/^heard/), `heard ${200 * frame + 2 + 4 + 2}`);
  });

  test("a client that leaves before there is an answer ends the application's wait", async (t) => {
    const { url, noted } = await started(t);
    const leaving = new AbortController();
    const headers = { connection: "upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
    const { request } = await import("node:http");
    const asked = request(`${url}/waits`, {
      headers: { ...headers, "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" },
      signal: leaving.signal,
    });
    asked.on("error", () => {}).end();
    await noted(/^waiting/);
    leaving.abort();
    assert.equal(await noted(/^read/), "read b''");
  });

  test("an app that does not answer the handshake in time: 504", async (t) => {
    const { url } = await started(t, { threads: 2, timeout: "500ms" });
    const { head } = await WebSocketClient.refused(`${url}/waits`);
    assert.equal(head.statusCode, 504);
  });

  test("a worker that dies closes its WebSockets with 1011", async (t) => {
    const { open, server, logged } = await started(t);
    const client = await open("/echo");
    assert.equal(await client.say("hi").hear(), "hi");
    const [worker] = server.status().apps.site?.processes ?? [];
    process.kill(worker?.pid as number, "SIGKILL");
    assert.equal((await client.closed).code, 1011);
    await logged(/SIGKILL/);
  });

  test("a stop closes it with 1001, a reload with 1012; the app is told", async (t) => {
    const { open, server, noted } = await started(t);
    const first = await open("/echo");
    assert.equal(await first.say("hi").hear(), "hi");
    await Promise.all([server.reload(), first.closed]);
    assert.equal((await first.closed).code, 1012);
    await noted(/^closed 1012/);
    const second = await open("/echo");
    assert.equal(await second.say("hi").hear(), "hi");
    await Promise.all([server.stop(5_000), second.closed]);
    assert.equal((await second.closed).code, 1001);
  });

  test("each open WebSocket has a thread; requests go to other processes meanwhile, or wait", async (t) => {
    const { open, url } = await started(t, { threads: 2, queueTimeout: "500ms" });
    const [first] = await Promise.all([open("/echo"), open("/echo")]);
    assert.equal((await fetch(`${url}/plain`)).status, 503);
    await first?.close(1000);
    assert.equal((await fetch(`${url}/plain`)).status, 418);
  });

  test("two hundred WebSockets, taken or not, leave no threads and no descriptors", async (t) => {
    const { open, url } = await started(t);
    const count = async (): Promise<string> => (await fetch(`${url}/threads`)).text();
    await count();
    const before = await count();
    for (let i = 0; i < 100; i++) {
      const client = await open("/echo");
      await client.say("hi").hear();
      await client.close(1000);
      await WebSocketClient.refused(`${url}/plain`);
    }
    await until(async () => (await count()) === before);
  });
});
