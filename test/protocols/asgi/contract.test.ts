// Applications that break the rules of ASGI: what the client gets, and what the log says (edge cases A1 to A6, A10).
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import { ending, startAsgi } from "../../kit/start-asgi.ts";

interface Broken {
  readonly page: string;
  readonly status: number;
  readonly complete: boolean;
  readonly body: RegExp;
  readonly logged: RegExp;
}

const BROKEN: readonly Broken[] = [
  ["/fail", 500, true, /APP_RAISED/, /ValueError: told to fail/],
  ["/fail-oddly", 500, true, /APP_RAISED/, /GeneratorExit: told to fail oddly/],
  ["/fail-midway", 200, false, /^half$/, /ValueError: told to fail midway/],
  ["/no-response", 500, true, /ERR_SALLYPORT_APP_/, /without|no response|did not/i],
  ["/start-only", 500, true, /ERR_SALLYPORT_APP_/, /without|did not|ended/i],
  ["/body-first", 500, true, /APP_PROTOCOL/, /http\.response\.body.*expected.*http\.response\.start/],
  ["/start-twice", 500, true, /APP_PROTOCOL/, /http\.response\.start.*expected.*http\.response\.body/],
  ["/body-after-end", 200, true, /^whole\n$/, /after the response: .*http\.response\.body/],
  ["/text-body", 500, true, /APP_PROTOCOL/, /body.*bytes.*str/],
  ["/text-names", 500, true, /APP_PROTOCOL/, /bytes.*str/],
  ["/unknown-type", 500, true, /APP_PROTOCOL/, /http\.response\.nonsense/],
  ["/no-type", 500, true, /APP_PROTOCOL/, /'type'/],
].map(([page, status, complete, body, logged]) => ({ page, status, complete, body, logged }) as Broken);

for (const { page, status, complete, body, logged } of BROKEN) {
  test(`${page}: ${status}${complete ? "" : ", cut"}, and the log has the rule (A1, A2, A3, A6)`, async (t) => {
    const server = await startAsgi(t);
    const answer = await server.ask(page);
    assert.deepEqual([answer.status, answer.complete], [status, complete]);
    assert.match(answer.body.toString(), body);
    await server.logged(logged);
    assert.equal((await server.ask("/hello")).status, 200);
  });
}

test("an exception after the head cuts the connection, without the end of the chunks (A3)", async (t) => {
  const server = await startAsgi(t);
  const client = await server.client("/fail-midway");
  const text = await client.all();
  assert.match(text, /4\r\nhalf\r\n1\r\n$/);
});

test("receive() after the response waits for nothing but the end, and says http.disconnect (A4)", async (t) => {
  const server = await startAsgi(t);
  assert.equal((await server.ask("/wait-after-response")).status, 200);
  await server.recorded(/http\.disconnect/);
});

test("a receive() that waits is told at once that the client has left (A4)", async (t) => {
  const server = await startAsgi(t);
  const client = await server.client("/wait-for-end");
  await server.recorded(/waiting/);
  client.socket.destroy();
  await server.recorded(/http\.disconnect/);
});

test("send() after the client left raises an OSError in the application (A5)", async (t) => {
  const server = await startAsgi(t);
  const client = await server.client("/endless");
  await client.has("0123456789abcdef");
  client.socket.resetAndDestroy();
  assert.match(await server.recorded(/^left/), /left \w+/);
  assert.equal((await server.ask("/hello")).status, 200);
});

for (const [how, page, status] of [
  ["websocket.send before accept", "/early", 500],
  ["a subprotocol that was not offered", "/not-offered", 500],
  ["websocket.close before accept", "/reject", 403],
] as const) {
  test(`${how}: ${status}, and no WebSocket (A10)`, async (t) => {
    const server = await startAsgi(t);
    const client = server.socket(page, ["chat"]);
    const [, response] = (await once(client, "unexpected-response")) as [unknown, IncomingMessage];
    assert.equal(response.statusCode, status);
    response.resume();
  });
}

test("websocket.send after close is an error in the application, and nothing leaves (A10)", async (t) => {
  const server = await startAsgi(t);
  const client = await server.open("/close");
  const heard: unknown[] = [];
  client.on("message", (data) => heard.push(data));
  assert.equal(await ending(client), "4001 enough");
  assert.match(await server.recorded(/^closed/), /^closed 4001/);
  assert.deepEqual(heard, []);
});

test("an ASGI application given to wsgi() is refused in words", async (t) => {
  const { wsgi } = await import("../../../src/protocols/wsgi/index.ts");
  const { APPS } = await import("../../kit/start-asgi.ts");
  const gateway = wsgi("pages:application", { chdir: APPS, python: "python3" });
  t.after(() => gateway.close?.(0));
  await assert.rejects(async () => gateway.start?.(), /is an ASGI application/);
});
