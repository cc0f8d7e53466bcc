// What is still on its way out when a WebSocket is closed: the client has its time to read it (RFC 6455, 7.1).
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { type Exchange, SallyportError } from "../../src/exchange/index.ts";
import { accepting, closeFrame, handshake, type RawClient, serve } from "../kit/serve-websocket.ts";

const MEBIBYTE = 2 ** 20;

/** Reads what waits piece by piece, until it ends in `last`. */
function sip(client: RawClient, last: string): Promise<void> {
  // The kernel still has some megabytes when the server has none: they must be read within closeTimeout.
  client.socket.removeAllListeners("data");
  return new Promise((resolve) => {
    client.socket.on("data", (chunk: Buffer) => {
      client.socket.pause();
      if (chunk.toString("latin1").endsWith(last)) resolve();
      else if (!client.socket.destroyed) setTimeout(() => client.socket.resume(), 5);
    });
    client.socket.resume();
  });
}

for (const [way, last, end] of [
  ["its application closes", "\x88\x05\x03\xe8bye", "1000"],
  ["it closes itself", "\x88\x02\x03\xe8", "1000"],
  ["its exchange fails", "\x88\x02\x03\xf3", "1006"],
] as const)
  test(`a client that still reads when ${way} gets every message before the close frame, however long closeTimeout is`, async (t) => {
    let exchange: Exchange | undefined;
    const { handler, next } = accepting();
    const serving = await serve(
      t,
      (one) => {
        exchange = one;
        handler(one);
      },
      { websocket: { closeTimeout: 1_000, pingInterval: 0 } },
    );
    const client = await serving.raw(handshake());
    await client.accepted();
    const seen = await next();
    client.socket.pause();
    seen.session.send(Buffer.alloc(32 * MEBIBYTE), true);
    if (way === "its application closes") seen.session.close(1000, "bye");
    else if (way === "it closes itself") client.send(closeFrame(1000));
    else exchange?.fail(new SallyportError("APP_RAISED", "the application raised"));
    const read = sip(client, last);
    const closed = once(client.socket, "close").then(() => assert.fail("it was cut before"));
    await Promise.race([read, closed]);
    if (way === "its application closes") client.send(closeFrame(1000));
    await seen.over();
    assert.equal(seen.end, end);
  });

test("a client that reads nothing of what comes before a close frame is cut after sendTimeout, not closeTimeout", async (t) => {
  const { handler, next } = accepting();
  const serving = await serve(t, handler, { websocket: { closeTimeout: 20, sendTimeout: 500 } });
  const client = await serving.raw(handshake());
  await client.accepted();
  const seen = await next();
  client.socket.pause();
  seen.session.send(Buffer.alloc(32 * MEBIBYTE), true);
  seen.session.close(1000, "");
  await seen.over();
  assert.deepEqual([seen.end, seen.outcome?.error?.code], ["1006", "ERR_SALLYPORT_CLIENT_STALLED"]);
});
