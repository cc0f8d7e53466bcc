// The application's half of FastCGI: servers that send and do not read. All limits are the default unless a test is about one.
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { type Exchange, type Handler, type Outcome, SallyportError } from "../../../../src/exchange/index.ts";
import {
  abortRequest,
  beginRequest,
  managementRecord,
  streamEnd,
  streamPart,
  TYPE,
  VALUE,
} from "../../../../src/protocols/fastcgi/codec.ts";
import { encodePairs } from "../../../../src/protocols/fastcgi/pairs.ts";
import { head, queue } from "../../../kit/handlers.ts";
import { until } from "../../../kit/until.ts";
import { bodyOf, params, request, serve, type WebServer } from "../serve-fastcgi.ts";

const PATIENCE = { timeout: 120_000 };
const MEBIBYTE = 2 ** 20;
/** What the kernel holds of both directions counts as read or unread by chance. */
const KERNEL = 16 * MEBIBYTE;

/** `bytes` of `records`, in large pieces. */
function* flood(records: Buffer, bytes: number): Generator<Buffer> {
  const piece = Buffer.concat(Array.from({ length: Math.ceil(MEBIBYTE / records.length) }, () => records));
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece;
}

/** A server that sends so much and reads nothing must be read no further before the end. */
async function isHeldBack(t: TestContext, handler: Handler, records: Buffer, bytes: number): Promise<void> {
  const { client, accepted } = await serve(t, handler);
  const server = await client();
  server.socket.pause();
  server.socket.on("error", () => {});
  let sent = 0;
  for (const piece of flood(records, bytes)) {
    server.send(piece);
    sent += piece.length;
  }
  await until(() => accepted.length > 0);
  const [socket] = accepted as [Socket];
  await until(() => socket.isPaused() || socket.destroyed || socket.bytesRead >= sent);
  assert.ok(socket.isPaused(), `${socket.bytesRead} bytes were read`);
  assert.ok(socket.bytesRead < bytes / 2, `${socket.bytesRead} bytes were read`);
}

const answerAtOnce =
  (size: number): Handler =>
  (exchange) =>
    exchange.respond(head(), Buffer.alloc(size, "x"));

test(
  "a server that asks what nobody knows, and reads no answers, is read no further",
  PATIENCE,
  async (t) => {
    await isHeldBack(t, answerAtOnce(1), managementRecord(99, Buffer.alloc(0)), 96 * MEBIBYTE);
  },
);

test("a server that sends requests and reads no responses is read no further", PATIENCE, async (t) => {
  await isHeldBack(t, answerAtOnce(20_000), requests(), 48 * MEBIBYTE);
});

test(
  "a server that sends more requests than it may, and reads no refusals, is read no further",
  PATIENCE,
  async (t) => {
    await isHeldBack(t, () => {}, everyId(), 96 * MEBIBYTE);
  },
);

/** More than are read at once, each with an id of its own. */
const requests = (): Buffer => Buffer.concat(Array.from({ length: 5_000 }, (_, i) => request({ id: i + 1 })));

/** The beginning of a request of each id from 200: the first 128 are taken, the others refused again and again. */
function everyId(): Buffer {
  const begins = Array.from({ length: 60_000 }, (_, i) => beginRequest(200 + i, "authorizer", true));
  return Buffer.concat(begins);
}

/** Sends an upload, reading nothing until all of it was taken. */
async function upload(server: WebServer, bytes: number): Promise<void> {
  const length = { REQUEST_METHOD: "POST", CONTENT_LENGTH: String(bytes) };
  server.socket.pause();
  server.send(beginRequest(1, "responder", true), params(length));
  const record = streamPart(TYPE.STDIN, 1, Buffer.alloc(32_768));
  for (let sent = 0; sent < bytes; sent += 32_768) server.send(record);
  server.send(streamEnd(TYPE.STDIN, 1));
  await until(() => server.socket.writableLength === 0);
}

test(
  "a server that reads the response only after it has sent the request gets it, however large both are",
  PATIENCE,
  async (t) => {
    const { client } = await serve(t, answerAtOnce(2 * KERNEL));
    const server = await client();
    await upload(server, 2 * KERNEL);
    server.socket.resume();
    assert.equal(bodyOf(await server.ended()).length, 2 * KERNEL);
    assert.equal(bodyOf(await server.again().send(request()).ended()).length, 2 * KERNEL);
  },
);

test("a server that was read no further is answered in full once it reads", PATIENCE, async (t) => {
  const { client, accepted } = await serve(t, answerAtOnce(20_000), { limits: { requests: 2_000 } });
  const server = await client();
  server.socket.pause();
  const ids = Array.from({ length: 2_000 }, (_, i) => i + 1);
  for (const id of ids) server.send(request({ id }));
  await until(() => accepted[0]?.isPaused() === true);
  server.socket.resume();
  for (const id of ids) assert.equal(bodyOf(await server.ended(id)).length, 20_000);
});

test("a server that stops reading is cut, though it goes on sending", PATIENCE, async (t) => {
  const { client, lines } = await serve(t, answerAtOnce(2 * KERNEL), { limits: { sendTimeout: 400 } });
  const server = await client();
  server.socket.pause();
  server.send(request());
  const trickle = setInterval(() => server.send(managementRecord(99, Buffer.alloc(0))), 20);
  t.after(() => clearInterval(trickle));
  await until(() => lines.some(({ fields }) => fields.code === "ERR_SALLYPORT_CLIENT_STALLED"));
});

const OVER: Readonly<Record<string, (exchange: Exchange) => void>> = {
  "is answered": (exchange) => exchange.respond(head(), "done"),
  fails: (exchange) => exchange.fail(new SallyportError("APP_RAISED", "it failed")),
  "is cut while it shares the connection": (exchange) => {
    exchange.start(head());
    exchange.fail(new SallyportError("APP_ABORTED", "it failed in the middle"));
  },
};

/** Sends a request with a body that is too much to wait unread, until its last bytes come; resolves when all of it is here. */
async function sendUnread(
  server: WebServer,
  accepted: readonly Socket[],
  begun: () => Promise<Exchange>,
): Promise<Exchange> {
  server.send(
    beginRequest(1, "responder", true),
    params({ REQUEST_METHOD: "POST", CONTENT_LENGTH: "70000" }),
  );
  server.send(streamPart(TYPE.STDIN, 1, Buffer.alloc(60_000)));
  const unread = await begun();
  server.send(streamPart(TYPE.STDIN, 1, Buffer.alloc(10_000)), streamEnd(TYPE.STDIN, 1));
  await until(() => accepted[0]?.bytesRead === server.socket.bytesWritten);
  return unread;
}

for (const [ends, over] of Object.entries(OVER)) {
  test(`a request that ${ends} leaves no unread body before the next one`, { timeout: 20_000 }, async (t) => {
    const { handler, next } = queue();
    const { client, accepted } = await serve(t, handler);
    const server = await client();
    server.send(managementRecord(TYPE.GET_VALUES, encodePairs([VALUE.MPXS_CONNS, ""])));
    over(await sendUnread(server, accepted, next));
    await server.ended();
    server.again().send(request());
    (await next()).respond(head(), "next");
    assert.equal(bodyOf(await server.ended()), "next");
  });
}

test("a body that is here whole and unread delays neither other requests nor the client's leaving", {
  timeout: 20_000,
}, async (t) => {
  const { handler, next } = queue();
  const { client, accepted } = await serve(t, handler);
  const server = await client();
  const unread = await sendUnread(server, accepted, next);
  server.send(request({ id: 2 }));
  (await next()).respond(head(), "other");
  assert.equal(bodyOf(await server.ended(2)), "other");
  server.send(abortRequest(1));
  const left = await new Promise<Outcome>((resolve) => unread.whenClosed(resolve));
  assert.equal(left.error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
});
