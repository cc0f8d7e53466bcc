// WebSocket over HTTP/2: extended CONNECT (RFC 8441).
import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import {
  type Exchange,
  type Handler,
  SallyportError,
  type WebSocketSession,
} from "../../../src/exchange/index.ts";
import { lint } from "../../../src/exchange/lint.ts";
import { head, outcomeOf, queue } from "../../kit/handlers.ts";
import { END_HEADERS, frame, headers } from "../../kit/http2-frames.ts";
import { serve } from "./serve-http2.ts";

const OPENING = {
  ":method": "CONNECT",
  ":protocol": "websocket",
  ":path": "/chat",
  "sec-websocket-version": "13",
};

/** Asks for a WebSocket once the server has said that there are any. */
async function open(
  session: ClientHttp2Session,
  fields: Record<string, string> = {},
): Promise<ClientHttp2Stream> {
  const [settings] = await once(session, "remoteSettings");
  assert.equal(settings.enableConnectProtocol, true);
  const stream = session.request({ ...OPENING, ...fields }, { endStream: false });
  stream.on("error", () => {});
  return stream;
}

const statusOf = async (stream: ClientHttp2Stream): Promise<number> =>
  (await once(stream, "response"))[0][constants.HTTP2_HEADER_STATUS];

/** A frame of a client: masked with zeros (RFC 6455, 5.2). */
function masked(opcode: number, payload: Buffer | string): Buffer {
  const bytes = Buffer.from(payload as string);
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | bytes.length, 0, 0, 0, 0]), bytes]);
}

/** Sends back what comes, and closes when the client does. */
const echoing: Handler = (exchange) => {
  let session: WebSocketSession | undefined;
  session = exchange.handshake?.accept(
    { subprotocol: exchange.handshake.subprotocols[0], headers: ["X-A", " 1\t"] },
    { message: (data, binary) => session?.send(data, binary), closed() {} },
  );
};

async function read(stream: ClientHttp2Stream, size: number): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of stream) {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length >= size) break;
  }
  return bytes;
}

test("an extended CONNECT opens a WebSocket on its stream", async (t) => {
  const linted = lint({ handle: echoing });
  const { session } = await serve(t, (exchange) => linted.handle(exchange));
  const stream = await open(session(), { "sec-websocket-protocol": "chat, other" });
  const [response] = await once(stream, "response");
  assert.equal(response[":status"], 200);
  assert.deepEqual([response["sec-websocket-protocol"], response["x-a"]], ["chat", "1"]);
  assert.equal(response["sec-websocket-accept"], undefined);
  stream.write(masked(1, "hello"));
  assert.deepEqual(await read(stream, 7), Buffer.from("\x81\x05hello", "latin1"));
});

test("who knows no WebSockets sees a GET", async (t) => {
  const { handler, next } = queue();
  const { session } = await serve(t, handler);
  const stream = await open(session());
  const { request, handshake } = await next().then((exchange) => {
    exchange.respond(head(404), "no such page");
    return exchange;
  });
  assert.deepEqual([request.method, request.path, request.version], ["GET", "/chat", "2"]);
  assert.deepEqual(handshake?.subprotocols, []);
  assert.equal(await statusOf(stream), 404);
});

test("a handshake that is refused leaves the connection to others", async (t) => {
  const { handler, next } = queue();
  const { session } = await serve(t, handler);
  const client = session();
  const refused = await open(client);
  (await next()).respond(head(403), "no");
  refused.resume();
  await once(refused, "close");
  assert.equal(refused.rstCode, 0);
  const second = client.request();
  (await next()).respond(head(), "yes");
  assert.equal(await statusOf(second), 200);
});

test("a page in answer to a handshake is an error: any 2xx would open the WebSocket", async (t) => {
  const { session, lines } = await serve(t, (exchange) => exchange.respond(head(200), "a page"));
  assert.equal(await statusOf(await open(session())), 501);
  assert.match(lines[0]?.message ?? "", /answered like one for a page/);
});

test("a handshake of another version is answered 426, with the version that there is (RFC 6455, 4.4)", async (t) => {
  const { session } = await serve(t, echoing);
  const stream = await open(session(), { "sec-websocket-version": "12" });
  const [fields] = await once(stream, "response");
  assert.deepEqual(
    [fields[":status"], fields["sec-websocket-version"], fields.upgrade],
    [426, "13", undefined],
  );
});

test("frames that come before the WebSocket is accepted are kept for it (K9)", async (t) => {
  const { handler, next } = queue();
  const { session } = await serve(t, handler);
  const stream = await open(session());
  stream.write(masked(1, "early"));
  const exchange = await next();
  await pause(20);
  const got = new Promise<string>((resolve) => {
    const receiver = { message: (data: Uint8Array) => resolve(Buffer.from(data).toString()), closed() {} };
    exchange.handshake?.accept({ subprotocol: undefined, headers: [] }, receiver);
  });
  assert.equal(await got, "early");
});

/** Accepts, and resolves with what the application is told at the end. */
const closing = (exchange: Exchange): Promise<[number, string]> =>
  new Promise((resolve) => {
    const closed = (code: number, reason: string): void => resolve([code, reason]);
    exchange.handshake?.accept({ subprotocol: undefined, headers: [] }, { message() {}, closed });
  });

test("a closing handshake ends the stream on both sides, and the exchange is complete", async (t) => {
  const { handler, next } = queue();
  const { session } = await serve(t, handler);
  const stream = await open(session());
  const exchange = await next();
  const outcome = outcomeOf(exchange);
  const closed = closing(exchange);
  stream.end(masked(8, Buffer.from("\x03\xe8bye", "latin1")));
  assert.deepEqual(await closed, [1000, "bye"]);
  assert.equal((await outcome).complete, true);
  stream.resume();
  await once(stream, "close");
  assert.equal(stream.rstCode, 0);
});

for (const [name, leave] of [
  ["resets its stream", (stream) => stream.close(constants.NGHTTP2_CANCEL)],
  ["ends its stream without a close frame", (stream) => stream.end()],
  ["closes its connection", (stream) => stream.session?.destroy()],
] as readonly [string, (stream: ClientHttp2Stream) => void][]) {
  test(`a client that ${name} closes the WebSocket with 1006 (K11)`, async (t) => {
    const { handler, next } = queue();
    const { session } = await serve(t, handler);
    const stream = await open(session());
    const exchange = await next();
    const outcome = outcomeOf(exchange);
    const closed = closing(exchange);
    await once(stream, "response");
    leave(stream);
    assert.deepEqual(await closed, [1006, ""]);
    assert.equal((await outcome).error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
  });
}

test("an open WebSocket that fails is closed with 1011, and the connection lives on", async (t) => {
  const { handler, next } = queue();
  const { session } = await serve(t, handler);
  const client = session();
  const stream = await open(client);
  const exchange = await next();
  void closing(exchange);
  exchange.fail(new SallyportError("APP_RAISED", "the application raised"));
  const bytes = await read(stream, 4);
  assert.deepEqual([bytes[0], bytes.readUInt16BE(2)], [0x88, 1011]);
  const second = client.request();
  (await next()).respond(head(), "yes");
  assert.equal(await statusOf(second), 200);
});

for (const sendTimeout of [0, Number.POSITIVE_INFINITY])
  test(`without a limit (${sendTimeout}), messages wait for a client that does not read`, async (t) => {
    const size = 2 ** 20;
    const { handler, next } = queue();
    const { session, client } = await serve(t, handler, { headTimeout: 100 }, { sendTimeout });
    const stream = await open(session());
    const webSocket = (await next()).handshake?.accept(
      { subprotocol: undefined, headers: [] },
      { message() {}, closed() {} },
    );
    assert.equal(webSocket?.send(Buffer.alloc(size), true), false);
    await (await client(false)).all();
    assert.ok((await read(stream, size)).length >= size);
  });

/** A WebSocket with a message of `size` bytes on its way to a client that does not read yet; `beside`: other streams are open. */
async function unread(t: TestContext, { size, beside = 0 }: { size: number; beside?: number }) {
  const { handler, next } = queue();
  const { session } = await serve(t, handler, { sendTimeout: 800 }, { sendTimeout: 800 });
  const client = session();
  const stream = await open(client);
  const exchange = await next();
  const webSocket = exchange.handshake?.accept(
    { subprotocol: undefined, headers: [] },
    { message() {}, closed() {} },
  );
  for (let i = 0; i < beside; i++) {
    client.request().on("error", () => {});
    await next();
  }
  assert.equal(webSocket?.send(Buffer.alloc(size), true), false);
  return { stream, outcome: outcomeOf(exchange) };
}

for (const beside of [0, 3]) {
  test(`a client that does not read for sendTimeout, with ${beside} other streams, is cut, though it goes on sending`, async (t) => {
    const { stream, outcome } = await unread(t, { size: 2 ** 20, beside });
    const sending = setInterval(() => stream.write(masked(1, "x")), 20);
    t.after(() => clearInterval(sending));
    assert.equal((await outcome).error?.code, "ERR_SALLYPORT_CLIENT_STALLED");
  });

  test(`a client that reads one large message slowly, with ${beside} other streams, gets all of it`, async (t) => {
    const size = 2 ** 21;
    const { stream, outcome } = await unread(t, { size, beside });
    let read = 0;
    while (read < size && !stream.destroyed) {
      read += (stream.read() as Buffer | null)?.length ?? 0;
      await pause(60);
    }
    stream.close(constants.NGHTTP2_CANCEL);
    assert.equal((await outcome).error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
  });
}

test("a listener whose grace is over closes open WebSockets with 1001 (L3)", async (t) => {
  const { handler, next } = queue();
  const { session, listener } = await serve(t, handler);
  const stream = await open(session());
  void closing(await next());
  await once(stream, "response");
  const [bytes] = await Promise.all([read(stream, 4), listener.close(20)]);
  assert.deepEqual([bytes[0], bytes.readUInt16BE(2)], [0x88, 1001]);
});

test("an extended CONNECT without a body's end is no upload: nothing is read before the answer", async (t) => {
  const { handler, next } = queue();
  const { client } = await serve(t, handler);
  const fields = [":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/"];
  const rest = [":authority", "a.test", "sec-websocket-version", "13"];
  const peer = await client();
  await peer.next("SETTINGS");
  peer.send(frame("SETTINGS", 1, 0), headers(1, [...fields, ...rest], END_HEADERS));
  const exchange = await next();
  assert.equal(exchange.body.length, 0);
  exchange.respond(head(404), "");
  assert.equal(await peer.resetCode(1), 0);
  assert.equal(peer.story(1), "HEADERS. RST_STREAM(0)");
});
