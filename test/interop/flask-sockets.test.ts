// Flask-Sock and Flask-SocketIO, newest versions: WebSockets of a WSGI application, with threads.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { missing } from "../kit/needs.ts";
import type { Served } from "../kit/serve.ts";
import { WebSocketClient } from "../kit/websocket-client.ts";
import { APPS, serveSite, visit } from "./site.ts";

const FOLDER = `${APPS}flask_sockets`;

describe("Flask's WebSockets", {
  skip: missing("py:flask_sock", "py:flask_socketio", "py:websocket"),
}, () => {
  let site: Served;

  before(async () => {
    site = await serveSite("app:app", FOLDER, "--threads", "8");
  });
  after(() => site?.stop());

  test("Flask-Sock: messages, and what a view knows of its request", async () => {
    const client = await WebSocketClient.open(`${site.url}/upper`, ["shout"]);
    assert.equal(client.socket.protocol, "shout");
    for (const text of ["hello", "é".repeat(100_000)])
      assert.equal(await client.say(text).hear(), text.toUpperCase());
    assert.equal((await client.close(1000)).code, 1000);
    const headers = { cookie: "c=2", "x-y": "3" };
    const asking = await WebSocketClient.open(`${site.url}/session?a=1`, [], { headers });
    assert.equal(await asking.hear(), "1 2 3");
    assert.equal((await asking.closed).code, 1000);
  });

  test("Flask-Sock: an exception has its traceback in the log", async () => {
    const client = await WebSocketClient.open(`${site.url}/boom`);
    assert.equal((await client.closed).code, 1011);
    await site.sees(/RuntimeError: boom in a socket/);
  });

  for (const transports of [["websocket"], ["polling", "websocket"]])
    test(`Flask-SocketIO: ${transports.join(", then ")}`, async () => {
      assert.deepEqual(await visit("socketio_tour.py", site.url, ...transports), {
        transport: "websocket",
        first: ["acknowledged", 3],
        large: ["acknowledged", 4_999_950_000],
      });
      await site.sees(/RuntimeError: boom in an event/);
    });

  test("other requests are answered meanwhile, and a stop tells the clients", async () => {
    const clients = await Promise.all([1, 2, 3, 4].map(() => WebSocketClient.open(`${site.url}/upper`)));
    assert.equal(await (await fetch(site.url)).text(), "index");
    const [, ...codes] = await Promise.all([site.stop(), ...clients.map(({ closed }) => closed)]);
    assert.deepEqual(
      codes.map(({ code }) => code),
      [1001, 1001, 1001, 1001],
    );
    assert.doesNotMatch(site.stderr, /BrokenPipe|ConnectionClosed|sallyport-websocket/);
  });

  test("several server processes: a reload and a stop tell the clients", async (t) => {
    const several = await serveSite("app:app", FOLDER, "--threads", "8", "--server-processes", "2");
    t.after(() => several.stop());
    const open = (): Promise<WebSocketClient[]> =>
      Promise.all([1, 2, 3, 4].map(() => WebSocketClient.open(`${several.url}/upper`)));
    const codes = async (clients: readonly WebSocketClient[]): Promise<number[]> =>
      (await Promise.all(clients.map(({ closed }) => closed))).map(({ code }) => code);
    const first = await open();
    for (const client of first) assert.equal(await client.say("hi").hear(), "HI");
    process.kill(several.pid, "SIGHUP");
    assert.deepEqual(await codes(first), [1012, 1012, 1012, 1012]);
    const second = await open();
    for (const client of second) assert.equal(await client.say("hi").hear(), "HI");
    const [ended] = await Promise.all([codes(second), several.stop()]);
    assert.deepEqual(ended, [1001, 1001, 1001, 1001]);
  });
});
