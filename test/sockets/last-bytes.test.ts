// What has arrived is read although a write fails first: of a socket as such, and of applications that answer an upload
// before they have read it, and leave.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs, { existsSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import type { Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Gateway, PushedBody } from "../../src/exchange/index.ts";
import { endRequest, STATUS, streamPart, TYPE } from "../../src/protocols/fastcgi/codec.ts";
import { fastcgi } from "../../src/protocols/fastcgi/index.ts";
import { scgi } from "../../src/protocols/scgi/index.ts";
import { uwsgi } from "../../src/protocols/uwsgi/index.ts";
import { LastingSocket, readLastBytes } from "../../src/sockets/last-bytes.ts";
import { type Recorded, RecordedExchange } from "../../src/testing/recorded.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { until } from "../kit/until.ts";

const PROGRAM = fileURLToPath(new URL("../apps/leaving/leaving.py", import.meta.url));
const TRANSPORTS = ["tcp", "unix"] as const;
const PIECE = Buffer.alloc(1_000, "x");

interface Leaving {
  /** As gateways write it. */
  readonly address: string;
  /** Resolves when bytes have come. */
  read(): Promise<void>;
  /** Has it answer and close, while this process does nothing else. */
  leave(): void;
}

/** A program that answers the first bytes of a connection with `answer` and closes it, the rest unread. */
async function startLeaving(
  t: TestContext,
  transport: (typeof TRANSPORTS)[number],
  answer: Buffer,
  skipped = 0,
): Promise<Leaving> {
  const folder = makeFolder(t);
  const place = transport === "tcp" ? "0" : join(folder, "app.sock");
  const child = spawn("python3", [PROGRAM, place, answer.toString("hex"), folder, String(skipped)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill());
  const [bound] = await once(createInterface(child.stdout), "line");
  const isNoted = (name: string): boolean => existsSync(join(folder, name));
  return {
    address: transport === "tcp" ? `127.0.0.1:${bound}` : `unix:${bound}`,
    read: () => until(() => isNoted("read")),
    leave() {
      writeFileSync(join(folder, "go"), "");
      const deadline = performance.now() + 10_000;
      while (!isNoted("closed")) assert.ok(performance.now() < deadline, "the application does not leave");
    },
  };
}

async function connectedTo({ address }: Leaving): Promise<Socket> {
  const [host, place] = address.split(":") as [string, string];
  const at = host === "unix" ? { path: place } : { host, port: Number(place) };
  const socket = new LastingSocket().connect(at);
  await once(socket, "connect");
  return socket;
}

/** Unlike `once`, whatever error comes before. */
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => socket.on("close", () => resolve()));

for (const transport of TRANSPORTS) {
  for (const isPaused of [false, true])
    test(`${transport}: ${isPaused ? "a paused" : "a"} socket whose write fails gives what has arrived`, async (t) => {
      const answer = Buffer.alloc(50_000, "a");
      const application = await startLeaving(t, transport, answer);
      const socket = await connectedTo(application);
      const events: string[] = [];
      const received: Buffer[] = [];
      readLastBytes(socket, (bytes) => received.push(bytes));
      socket.on("data", (bytes) => received.push(bytes));
      socket.on("error", () => events.push(`error after ${Buffer.concat(received).length}`));
      if (isPaused) socket.pause();
      socket.write(PIECE);
      await application.read();
      application.leave();
      socket.write(PIECE);
      await closed(socket);
      assert.ok(Buffer.concat(received).equals(answer));
      assert.deepEqual(events, ["error after 50000"]);
    });

  test(`${transport}: a socket that we close ourselves gives nothing more`, async (t) => {
    const application = await startLeaving(t, transport, Buffer.from("answer"));
    const socket = await connectedTo(application);
    const received: Buffer[] = [];
    readLastBytes(socket, (bytes) => received.push(bytes));
    socket.on("error", () => {}).write(PIECE);
    await application.read();
    application.leave();
    socket.destroy(new Error("ours"));
    await closed(socket);
    assert.deepEqual(received, []);
  });
}

test("what a paused socket has read comes before what it has not", async (t) => {
  const application = await startLeaving(t, "tcp", Buffer.from("second"));
  const socket = await connectedTo(application);
  const received: Buffer[] = [];
  readLastBytes(socket, (bytes) => received.push(bytes));
  socket.on("error", () => {}).write(PIECE);
  await application.read();
  socket.unshift(Buffer.from("first, "));
  application.leave();
  socket.write(PIECE);
  await closed(socket);
  assert.equal(Buffer.concat(received).toString(), "first, second");
});

test("no more than 16 MiB are read, should the other end go on writing", async (t) => {
  const application = await startLeaving(t, "tcp", Buffer.from("answer"));
  const socket = await connectedTo(application);
  let total = 0;
  readLastBytes(socket, ({ length }) => {
    total += length;
  });
  socket.on("error", () => {}).write(PIECE);
  await application.read();
  application.leave();
  // There is always more.
  t.mock.method(fs, "readSync", (_fd: number, into: Buffer) => into.length);
  syncBuiltinESMExports();
  socket.write(PIECE);
  await closed(socket);
  t.mock.restoreAll();
  syncBuiltinESMExports();
  assert.equal(total, 16_777_216);
});

// An upload that nobody wants.

const REFUSAL = "Status: 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large";
const RECORDS = Buffer.concat([
  streamPart(TYPE.STDOUT, 1, Buffer.from(REFUSAL)),
  endRequest(1, 0, STATUS.REQUEST_COMPLETE),
]);

const GATEWAYS: readonly {
  readonly name: string;
  readonly answer: Buffer;
  /** Connections that come before that of the request. */
  readonly before: number;
  make(address: string): Gateway;
}[] = [
  {
    name: "SCGI",
    answer: Buffer.from(REFUSAL),
    before: 0,
    make: (address) => scgi({ address, bufferBody: false }),
  },
  {
    name: "uwsgi",
    answer: Buffer.from(REFUSAL),
    before: 0,
    make: (address) => uwsgi({ address, bufferBody: false }),
  },
  {
    name: "FastCGI",
    answer: RECORDS,
    before: 1,
    make: (address) => fastcgi({ address, bufferBody: false }),
  },
];

/** Uploads a piece, has the application answer and leave, and uploads another one before anything can be read. */
async function upload(t: TestContext, gateway: Gateway, application: Leaving): Promise<Recorded> {
  t.after(() => gateway.close?.(0));
  await gateway.start?.();
  const body = new PushedBody(PIECE.length * 100, { pause() {}, resume() {} });
  const exchange = new RecordedExchange({ method: "POST", body });
  gateway.handle(exchange);
  body.push(PIECE);
  await application.read();
  application.leave();
  body.push(PIECE);
  return exchange.done;
}

for (const { name, answer, before, make } of GATEWAYS)
  for (const transport of TRANSPORTS) {
    test(`${name}, ${transport}: an answer before the end of the upload reaches the client`, async (t) => {
      const application = await startLeaving(t, transport, answer, before);
      const { status, body, complete } = await upload(t, make(application.address), application);
      assert.deepEqual([status, body.toString(), complete], [413, "too large", true]);
    });

    test(`${name}, ${transport}: an answer that was cut never looks complete`, async (t) => {
      const application = await startLeaving(t, transport, answer.subarray(0, 60), before);
      const { status, complete } = await upload(t, make(application.address), application);
      assert.ok(status === 502 || !complete, `${status}, complete: ${complete}`);
    });
  }

for (const { name, before, make } of GATEWAYS.filter(({ name }) => name !== "FastCGI"))
  test(`${name}: without a length, an answer that a reset follows is not complete`, async (t) => {
    const application = await startLeaving(t, "tcp", Buffer.from("Status: 200 OK\r\n\r\nhalf"), before);
    const { status, complete } = await upload(t, make(application.address), application);
    assert.deepEqual([status, complete], [200, false]);
  });
