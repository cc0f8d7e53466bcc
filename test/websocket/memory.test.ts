// The memory that an idle WebSocket costs the server process.
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { LOADER } from "../../scripts/testing/typescript/loader.mjs";
import { frame, handshake } from "../kit/serve-websocket.ts";

const HOLD = fileURLToPath(new URL("report_memory.ts", import.meta.url));
const COUNT = 1_000;
/** Bytes of each; about 5,000 when this was written. */
const MOST = 8 * 1_024;
const LEFT = 1_500;

interface Memory {
  readonly rss: number;
  readonly heap: number;
}

async function measured(child: ChildProcess): Promise<Memory> {
  child.send("measure");
  const [memory] = await once(child, "message");
  return memory;
}

/** As a browser asks for it, and with a message sent and come back. */
async function opened(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  const fields = {
    Origin: "http://localhost",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-US,en;q=0.9",
    "Cache-Control": "no-cache",
    "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
  };
  socket.write(handshake(fields), "latin1");
  await once(socket, "data");
  socket.write(frame(2, "hello"), "latin1");
  await once(socket, "data");
  return socket;
}

async function open(port: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < COUNT)
    sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => opened(port)))));
  return sockets;
}

async function close(sockets: readonly Socket[]): Promise<void> {
  await Promise.all(
    sockets.map((socket) => {
      const closed = once(socket, "close");
      socket.write(frame(8), "latin1");
      socket.resume();
      return closed;
    }),
  );
}

const held = (t: TestContext): ChildProcess => {
  // A small young generation: how far it has grown is no cost of what is idle.
  const execArgv = ["--expose-gc", "--max-semi-space-size=1", ...LOADER];
  const child = fork(HOLD, { execArgv });
  t.after(() => child.kill());
  return child;
};

test(`a thousand idle WebSockets cost at most ${MOST} bytes each, and nothing when they are closed`, async (t) => {
  const child = held(t);
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  // What the process gets once, for all: compiled code, a heap that has grown.
  await close(await open(port));
  const before = await measured(child);
  const sockets = await open(port);
  const during = await measured(child);
  await close(sockets);
  let after = await measured(child);
  const each = (what: keyof Memory, now: Memory): number => Math.round((now[what] - before[what]) / COUNT);
  t.diagnostic(`heap ${each("heap", during)}, resident ${each("rss", during)} bytes each`);
  assert.ok(each("heap", during) > 0);
  assert.ok(each("heap", during) <= MOST, `${each("heap", during)} bytes of heap`);
  assert.ok(each("rss", during) <= MOST, `${each("rss", during)} bytes resident`);
  // What waits for its own end of the connection, or for the collector, goes a little later.
  for (let turns = 0; turns < 50 && each("heap", after) > LEFT; turns++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    after = await measured(child);
  }
  assert.ok(each("heap", after) <= LEFT, `${each("heap", after)} bytes of heap are left of each`);
});
