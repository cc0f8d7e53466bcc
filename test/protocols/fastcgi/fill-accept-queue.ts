// An application that accepts no connections until it is released: its thread is blocked, so that connections stay
// in the kernel's queue, and one beyond its end gets EAGAIN.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { endRequest, streamPart, TYPE } from "../../../src/protocols/fastcgi/codec.ts";
import { socketPath } from "./raw-application.ts";

/** Once free it closes what asks for values (FastCGI, type 9), and answers everything else with the same document. */
const PROGRAM = `
const { createServer } = require("node:net");
const { parentPort, workerData } = require("node:worker_threads");
const { path, free, answer } = workerData;
const server = createServer((socket) => {
  socket.on("error", () => {});
  socket.once("data", (bytes) => (bytes[0] === 1 && bytes[1] === 9 ? socket.destroy() : socket.end(answer)));
});
server.listen({ path, backlog: 1 }, () => {
  parentPort.postMessage("listening");
  Atomics.wait(free, 0, 0);
});
`;

const ANSWER = Buffer.concat([
  streamPart(TYPE.STDOUT, 1, Buffer.from("Content-Type: text/plain\r\n\r\nat last")),
  endRequest(1, 0, 0),
]);

export interface FullQueue {
  readonly address: string;
  /** It accepts from now on. */
  free(): void;
}

/** Listens, with its queue of connections full, until the test ends; then it answers with `answer`, by default as FastCGI. */
export async function fullQueue(t: TestContext, answer: Uint8Array = ANSWER): Promise<FullQueue> {
  const path = await socketPath(t);
  const free = new Int32Array(new SharedArrayBuffer(4));
  const workerData = { path, free, answer };
  const worker = new Worker(PROGRAM, { eval: true, workerData, execArgv: [] });
  t.after(() => worker.terminate());
  await once(worker, "message");
  const inQueue = await fill(path);
  t.after(() => inQueue.forEach((socket) => void socket.destroy()));
  const release = (): void => {
    Atomics.store(free, 0, 1);
    Atomics.notify(free, 0);
  };
  return { address: `unix:${path}`, free: release };
}

/** Connects until there is no room. */
async function fill(path: string): Promise<Socket[]> {
  const inQueue: Socket[] = [];
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, "connect");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return inQueue;
      throw error;
    }
    inQueue.push(socket.on("error", () => {}));
  }
}
