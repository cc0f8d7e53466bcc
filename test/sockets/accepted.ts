// Tests of accepted connections that share a read buffer; run here and on other versions of Node.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server, Socket } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { SocketReader, shareReadBuffer } from "../../src/sockets/accepted.ts";
import { makeFolder } from "../kit/make-folder.ts";

interface Pair {
  readonly server: Server;
  readonly accepted: Socket;
  /** Ours, with the shared buffer. */
  readonly socket: Socket;
  readonly client: Socket;
}

const OPTIONS = { allowHalfOpen: true, noDelay: true };
/** Bytes that Node reads ahead, and one read more. */
const MOST_WAITING = 131_072;

/** A connection over TCP, or a Unix socket. */
async function pair(t: TestContext, unix = false): Promise<Pair> {
  const server = createServer(OPTIONS);
  server.listen(unix ? join(makeFolder(t), "socket") : 0);
  await once(server, "listening");
  const taken = new Promise<Pick<Pair, "accepted" | "socket">>((resolve) => {
    server.once("connection", (accepted) =>
      resolve({ accepted, socket: shareReadBuffer(accepted, OPTIONS) }),
    );
  });
  const address = server.address();
  const client = typeof address === "string" ? connect(address) : connect(address?.port ?? 0);
  client.on("error", () => {});
  await once(client, "connect");
  t.after(() => {
    client.destroy();
    server.close();
  });
  return { server, client, ...(await taken) };
}

const many = (size: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 7) % 251));

test("this version of Node has what it takes", async (t) => {
  const { accepted, socket } = await pair(t);
  assert.notEqual(socket, accepted);
});

test("a socket without a descriptor of its own stays as it is", () => {
  const socket = new Socket();
  assert.equal(shareReadBuffer(socket), socket);
});

for (const unix of [false, true])
  test(`bytes arrive whole, and what was emitted stays what it was (${unix ? "unix" : "tcp"})`, async (t) => {
    const { socket, client } = await pair(t, unix);
    const sent = many(3_000_001);
    client.end(sent);
    const pieces: Buffer[] = [];
    socket.on("data", (piece: Buffer) => pieces.push(piece));
    await once(socket, "end");
    assert.ok(Buffer.concat(pieces).equals(sent));
    assert.ok(pieces.length > 1, "or nothing would have been read over");
    socket.end("bye");
    assert.equal((await buffer(client)).toString(), "bye");
  });

test("small pieces do not share memory that changes", async (t) => {
  const { socket, client } = await pair(t);
  const kept: Buffer[] = [];
  socket.on("data", (piece: Buffer) => kept.push(piece));
  for (const word of ["one", "two", "six"]) {
    client.write(word);
    await once(socket, "data");
  }
  assert.deepEqual(kept.map(String), ["one", "two", "six"]);
});

test("a client that ends its side can still be answered", async (t) => {
  const { socket, client } = await pair(t);
  client.end("question");
  const asked = once(socket, "data");
  await once(socket, "end");
  assert.equal(String((await asked)[0]), "question");
  socket.end("answer");
  assert.equal((await buffer(client)).toString(), "answer");
});

test("a paused socket reads nothing, and goes on where it stopped", async (t) => {
  const { socket, client } = await pair(t);
  const sent = many(20_000_000);
  const pieces: Buffer[] = [];
  socket.on("data", (piece: Buffer) => {
    pieces.push(piece);
    if (pieces.length === 1) socket.pause();
  });
  client.end(sent);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(pieces.length, 1);
  assert.ok(socket.readableLength <= MOST_WAITING, `${socket.readableLength} bytes wait`);
  assert.ok(client.writableLength > 0, "the client is held up");
  socket.resume();
  await once(socket, "end");
  assert.ok(Buffer.concat(pieces).equals(sent));
});

test("who does not read is not read for without end", async (t) => {
  const { socket, client } = await pair(t);
  client.write(many(20_000_000));
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.ok(socket.readableLength <= MOST_WAITING, `${socket.readableLength} bytes wait`);
  socket.destroy();
});

test("what is put back is read first", async (t) => {
  const { socket, client } = await pair(t);
  client.write("first");
  const [piece] = (await once(socket, "data")) as [Buffer];
  socket.pause();
  socket.removeAllListeners("data");
  socket.unshift(piece);
  client.end(" second");
  assert.equal((await buffer(socket)).toString(), "first second");
});

test("a reset is an error, and then the end", async (t) => {
  const { socket, client } = await pair(t);
  socket.resume();
  const error = once(socket, "error");
  client.resetAndDestroy();
  assert.equal(((await error)[0] as NodeJS.ErrnoException).code, "ECONNRESET");
  if (!socket.closed) await once(socket, "close");
});

test("both ends are known", async (t) => {
  const { socket, client } = await pair(t);
  assert.equal(socket.remotePort, client.localPort);
  assert.equal(socket.localPort, client.remotePort);
  assert.equal(socket.remoteFamily, "IPv6");
});

test("the server counts it until it is closed", async (t) => {
  const { server, socket } = await pair(t);
  const count = () =>
    new Promise((resolve, reject) => server.getConnections((e, n) => (e ? reject(e) : resolve(n))));
  assert.equal(await count(), 1);
  const closed = Promise.all([once(server, "close"), once(socket, "close")]);
  server.close();
  socket.destroy();
  await closed;
  assert.equal(await count(), 0);
});

test("a reading gets everything in order, and then it is the stream's", async (t) => {
  const { socket, client } = await pair(t);
  const heard: string[] = [];
  client.write("one");
  const first = new Promise<SocketReader>((resolve) => {
    const reading = new SocketReader(socket, (bytes) => {
      heard.push(bytes.toString());
      resolve(reading);
    });
  });
  const reading = await first;
  socket.pause();
  reading.stop();
  socket.unshift("one");
  client.end("two");
  assert.equal((await buffer(socket)).toString(), "onetwo");
  assert.deepEqual(heard, ["one"]);
});

test("a reading can be held up", async (t) => {
  const { socket, client } = await pair(t);
  const sent = many(20_000_000);
  const pieces: Buffer[] = [];
  new SocketReader(socket, (bytes) => {
    if (pieces.push(bytes) === 1) socket.pause();
  });
  client.end(sent);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(pieces.length, 1);
  assert.ok(client.writableLength > 0, "the client is held up");
  const end = once(socket, "end");
  socket.resume();
  await end;
  assert.ok(Buffer.concat(pieces).equals(sent));
});

test("another reading takes over", async (t) => {
  const { socket, client } = await pair(t);
  const heard: string[] = [];
  const reading = new SocketReader(socket, () => assert.fail("it has stopped"));
  reading.stop();
  new SocketReader(socket, (bytes) => heard.push(bytes.toString()));
  client.end("hello");
  await once(socket, "end");
  assert.deepEqual(heard, ["hello"]);
});

test("a socket without the shared buffer gives the same", async (t) => {
  const { client, socket: server } = await pair(t);
  const heard: string[] = [];
  const reading = new SocketReader(client, (bytes) => heard.push(bytes.toString()));
  server.write("one");
  await once(client, "data");
  client.pause();
  reading.stop();
  server.end("two");
  assert.equal((await buffer(client)).toString(), "two");
  assert.deepEqual(heard, ["one"]);
});

test("a reading begins with what was put back", async (t) => {
  const { socket, client } = await pair(t);
  client.write("one two");
  await once(socket, "readable");
  socket.unshift((socket.read() as Buffer).subarray(3));
  let heard = "";
  new SocketReader(socket, (bytes) => {
    heard += bytes.toString();
  });
  client.end(" three");
  await once(socket, "end");
  assert.equal(heard, " two three");
});
