// One WebSocket between a client and a worker, both simulated: pausing, buffering and credit.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Handshake,
  SallyportError,
  silentLog,
  type WebSocketSession,
} from "../../src/exchange/index.ts";
import type { OpeningExchange } from "../../src/websocket/index.ts";
import {
  FROM_WORKER,
  FrameReader,
  FrameWriter,
  MESSAGE_COST,
  PIECE,
  TO_WORKER,
  WINDOW,
} from "../../src/workers/link.ts";
import { MAX_MESSAGE, WebSocketRelay } from "../../src/workers/websocket-relay.ts";

class PlayedClient implements WebSocketSession {
  readonly sent: string[] = [];
  paused = false;
  stalled = false;
  #drained: (() => void) | undefined;

  send(data: Uint8Array, binary: boolean): boolean {
    this.sent.push(`${binary ? "binary" : "text"} ${data.length}`);
    return !this.stalled;
  }

  whenDrained(callback: () => void): void {
    this.#drained = callback;
  }

  release(): void {
    this.stalled = false;
    this.#drained?.();
  }

  close(code: number, reason: string): void {
    this.sent.push(`close ${code} ${reason}`);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }
}

function relaying(): {
  client: PlayedClient;
  relay: WebSocketRelay;
  frames(): [kind: number, payload: Buffer][];
} {
  const client = new PlayedClient();
  const handshake: Handshake = { subprotocols: [], accept: () => client };
  const writer = new FrameWriter();
  const exchange = { handshake, closed: false, request: { target: "/" } } as unknown as OpeningExchange;
  const ends = { exchange, writer, stream: 7, log: silentLog };
  const relay = new WebSocketRelay(ends, { subprotocol: undefined, headers: [] }, WINDOW);
  const frames = (): [number, Buffer][] => {
    const seen: [number, Buffer][] = [];
    const reader = new FrameReader((kind, _stream, { bytes }) => seen.push([kind, bytes]));
    for (const piece of writer.take()) reader.push(Buffer.from(piece as string, "latin1"));
    return seen;
  };
  return { client, relay, frames };
}

test("a message of the client's is cut into pieces, the last of which says what it is", () => {
  const { relay, frames } = relaying();
  relay.message(Buffer.alloc(2 * PIECE + 1), true);
  relay.message(Buffer.from("hi"), false);
  assert.deepEqual(
    frames().map(([kind, { length }]) => [kind, length]),
    [
      [TO_WORKER.BODY, PIECE],
      [TO_WORKER.BODY, PIECE],
      [TO_WORKER.BINARY, 1],
      [TO_WORKER.TEXT, 2],
    ],
  );
});

test("the client is held back when the window is used up, by empty messages, too, until more is wanted", () => {
  const { client, relay } = relaying();
  let count = 0;
  for (; !client.paused; count++) relay.message(Buffer.alloc(0), true);
  assert.equal(count, Math.ceil(WINDOW / MESSAGE_COST));
  relay.want(1);
  assert.equal(client.paused, true);
  relay.want(MESSAGE_COST);
  assert.equal(client.paused, false);
});

test("a client that has left is held back no longer: what it has said still, and its end, go to the worker", () => {
  const { client, relay, frames } = relaying();
  relay.message(Buffer.alloc(WINDOW), true);
  assert.equal(client.paused, true);
  relay.concluded();
  assert.equal(client.paused, false);
  frames();
  relay.message(Buffer.alloc(PIECE), true);
  relay.closed(1006, "");
  assert.deepEqual(
    [client.paused, ...frames().map(([kind]) => kind)],
    [false, TO_WORKER.BINARY, TO_WORKER.CLOSE],
  );
});

test("credit comes back for what the client has taken, and not while it is slow", () => {
  const { client, relay, frames } = relaying();
  client.stalled = true;
  for (let i = 0; i < 4; i++) relay.receive(FROM_WORKER.BINARY_OUT, Buffer.alloc(PIECE));
  assert.deepEqual([client.sent.length, frames()], [1, []]);
  client.release();
  assert.equal(client.sent.length, 4);
  const [[kind, payload] = []] = frames();
  assert.deepEqual([kind, payload?.readUInt32LE()], [TO_WORKER.CREDIT, 4 * (PIECE + MESSAGE_COST)]);
});

test("an application that returns is closed after its messages, one that failed at once", () => {
  const polite = relaying();
  polite.client.stalled = true;
  for (const text of ["a", "b"]) polite.relay.receive(FROM_WORKER.TEXT_OUT, Buffer.from(text));
  polite.relay.end();
  assert.deepEqual(polite.client.sent, ["text 1"]);
  polite.client.release();
  assert.deepEqual(polite.client.sent, ["text 1", "text 1", "close 1000 "]);

  const failed = relaying();
  failed.client.stalled = true;
  for (const text of ["a", "b"]) failed.relay.receive(FROM_WORKER.TEXT_OUT, Buffer.from(text));
  const error = new SallyportError("WORKER_DIED", "died");
  failed.relay.fail(error);
  assert.deepEqual(failed.client.sent, ["text 1", `close 1011 ${error.text}`]);
});

test("the beginning of a message that the application gave up is dropped before its close", () => {
  const { client, relay } = relaying();
  relay.receive(FROM_WORKER.CHUNK, Buffer.alloc(PIECE));
  relay.receive(FROM_WORKER.CLOSE_OUT, Buffer.from([0xf5, 0x03]));
  assert.deepEqual(client.sent, ["close 1013 "]);
});

test("a message without end is refused before it fills memory", () => {
  const { relay } = relaying();
  const piece = Buffer.alloc(PIECE);
  assert.throws(
    () => {
      for (let size = 0; size <= MAX_MESSAGE; size += PIECE) relay.receive(FROM_WORKER.CHUNK, piece);
    },
    (error) => error instanceof SallyportError && error.code === "ERR_SALLYPORT_APP_PROTOCOL",
  );
});

test("the close frame brings code and reason, and a released relay sends nothing more", () => {
  const { relay, frames } = relaying();
  relay.closed(4000, "enöugh");
  const [[kind, payload] = []] = frames();
  assert.deepEqual([kind, payload?.readUInt16LE(), payload?.toString("utf8", 2)], [10, 4000, "enöugh"]);
  relay.message(Buffer.from("late"), false);
  relay.receive(FROM_WORKER.CHUNK, Buffer.alloc(WINDOW));
  assert.deepEqual(frames(), []);
});

test("an application that stops is told, and its client", () => {
  const { client, relay, frames } = relaying();
  relay.leave("restart");
  assert.deepEqual(
    frames().map(([kind]) => kind),
    [TO_WORKER.LEAVE],
  );
  assert.deepEqual(client.sent, ["close 1012 "]);
});
