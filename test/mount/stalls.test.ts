// A client that takes nothing of a response is cut, and one that is only slow is not.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect as connect2, constants, createServer as createServer2 } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Exchange, type ResponseHead, silentLog } from "../../src/exchange/index.ts";
import { type NodeMountOptions, toFetchHandler, toNodeHandler } from "../../src/mount/index.ts";
import { outcomeOf, queue } from "../kit/handlers.ts";
import { keepLog } from "../kit/keep-log.ts";
import { answering, dial, host, TEXT, taking } from "./small-gateways.ts";

const OK: ResponseHead = { status: 200, reason: "", headers: TEXT };
const GET = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
/** Milliseconds that nothing else in this process waits. */
const SEND_TIMEOUT = 54_321;
/** More than the buffers of a connection take. */
const LARGE = Buffer.alloc(24 * 1024 * 1024, "x");

const mounted = (handle: (exchange: Exchange) => void, options: NodeMountOptions) =>
  toNodeHandler(answering(handle), { log: silentLog, ...options });

/** Reads pieces with pauses between them, to the end; gives how many bytes there were. */
async function readSlowly(socket: Socket): Promise<number> {
  let bytes = 0;
  for await (const piece of socket) {
    const before = bytes;
    bytes += piece.length;
    if (before >> 20 !== bytes >> 20) await sleep(30);
  }
  return bytes;
}

/** A host whose app writes one large piece, and ends once that has left. */
const hostOfLarge = (t: TestContext, sendTimeout: number): Promise<string> => {
  const answer = (exchange: Exchange): void => {
    exchange.start(OK);
    exchange.write(LARGE);
    exchange.whenDrained(() => exchange.end());
  };
  return host(t, mounted(answer, { sendTimeout }));
};

test("a slow client that reads on gets all of a response, also of one piece", async (t) => {
  const url = await hostOfLarge(t, 150);
  const socket = await dial(t, url, GET);
  assert.ok((await readSlowly(socket)) > LARGE.length);
});

test("a client that takes nothing of a complete response is cut, and the log says so", async (t) => {
  const { log, lines } = keepLog();
  const handler = mounted((exchange) => exchange.respond(OK, LARGE), { sendTimeout: 50, log });
  const server = createServer();
  const url = await host(t, handler, server);
  const [socket, [accepted]] = await Promise.all([dial(t, url, GET), once(server, "connection")]);
  socket.pause();
  await once(accepted, "close");
  assert.deepEqual(
    lines.map(({ fields }) => fields?.code),
    ["ERR_SALLYPORT_CLIENT_STALLED"],
  );
});

test("a complete response behind another one of its connection is not watched after that connection", async (t) => {
  const { gateway, taken } = taking();
  const watches = new Set<unknown>();
  let begun = 0;
  const { setTimeout: set, clearTimeout: clear } = globalThis;
  t.mock.method(globalThis, "setTimeout", (act: () => void, delay: number) => {
    const timer = set(act, delay);
    if (delay === SEND_TIMEOUT) begun = watches.add(timer).size;
    return timer;
  });
  t.mock.method(globalThis, "clearTimeout", (timer: NodeJS.Timeout) => {
    watches.delete(timer);
    clear(timer);
  });
  const server = createServer();
  const url = await host(t, toNodeHandler(gateway, { sendTimeout: SEND_TIMEOUT, log: silentLog }), server);
  const accepting = once(server, "connection");
  const socket = await dial(t, url, GET.replace("Connection: close\r\n", "").repeat(2));
  const [[accepted]] = await Promise.all([accepting, taken()]);
  const second = await taken();
  second.respond(OK, "x");
  assert.equal((await outcomeOf(second)).complete, true);
  const closing = once(accepted, "close");
  socket.destroy();
  await closing;
  assert.deepEqual([begun, watches.size], [1, 0]);
});

test("over HTTP/2 its stream is cut, and the connection stays", async (t) => {
  const server = createServer2(
    mounted(
      (exchange) =>
        exchange.respond(OK, exchange.request.path === "/small" ? "x" : LARGE.subarray(0, 4_000_000)),
      {
        sendTimeout: 50,
      },
    ),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const session = connect2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  t.after(() => {
    session.destroy();
    server.close();
  });
  const stream = session.request({ ":path": "/large" });
  stream.on("error", () => {});
  await once(stream, "response");
  stream.pause();
  await once(stream, "close");
  assert.equal(stream.rstCode, constants.NGHTTP2_CANCEL);
  const small = session.request({ ":path": "/small" });
  assert.equal((await small.toArray()).join(""), "x");
});

test("a sendTimeout of 0 is none", async (t) => {
  const url = await hostOfLarge(t, 0);
  const socket = await dial(t, url, GET);
  socket.pause();
  await sleep(30);
  assert.ok((await readSlowly(socket)) > LARGE.length);
});

test("what an application writes meanwhile does not give a client more time", async () => {
  const { handler: handle, next } = queue();
  const answer = toFetchHandler({ handle }, { sendTimeout: 60, log: silentLog })(new Request("http://h/"));
  const exchange = await next();
  exchange.start(OK);
  const response = await answer;
  exchange.write(Buffer.alloc(100_000));
  const writes = setInterval(() => exchange.write(Buffer.from("x")), 10);
  const { error } = await outcomeOf(exchange);
  clearInterval(writes);
  assert.equal(error?.code, "ERR_SALLYPORT_CLIENT_STALLED");
  await assert.rejects(response.text(), { code: "ERR_SALLYPORT_CLIENT_STALLED" });
});

test("a fetch host's client that reads on is not cut, where the host tells its connection", async (t) => {
  const { gateway, taken } = taking();
  const handler = toFetchHandler(gateway, { sendTimeout: 150, log: silentLog });
  const url = await host(t, (incoming, res) => {
    handler(new Request("http://h/"), { incoming }).then(async ({ body }) => {
      for await (const piece of body as ReadableStream<Uint8Array>)
        if (!res.write(piece)) await once(res, "drain");
      res.end();
    });
  });
  const socket = await dial(t, url, GET);
  const exchange = await taken();
  exchange.start(OK);
  exchange.write(LARGE);
  exchange.whenDrained(() => {
    exchange.write(LARGE);
    exchange.whenDrained(() => exchange.end());
  });
  assert.ok((await readSlowly(socket)) > LARGE.length * 2);
});
