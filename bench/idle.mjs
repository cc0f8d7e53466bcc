// What a WebSocket costs that is open and says nothing: the memory of the server with 2,000 of them, less that with 1,000.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { start } from "./contender.mjs";
import { serve } from "./contenders.mjs";

const COUNT = 1000;
/**
 * So that what comes once for all of them is there before: with 100, two thirds of the difference were the young generation
 * that grows, code, and what V8's compilers leave in malloc; that was counted as if it were each socket's.
 */
const WARM = 1000;
/** Bytes for each in the server. */
const LIMIT = 20_000;

/** As a browser asks: it offers compression. */
const HANDSHAKE = [
  "GET / HTTP/1.1",
  "Host: localhost",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
  "\r\n",
].join("\r\n");

/** Gives one row. */
export async function idle(context, say) {
  say(`memory: ${COUNT} idle WebSockets`);
  const server = await start((port) => serve({ ...context, port }, "asgi_hello:app"));
  const open = [];
  try {
    for (let count = 0; count < WARM; count++) open.push(await socket(server.url));
    const before = await settled(server.pid);
    for (let count = 0; count < COUNT; count++) open.push(await socket(server.url));
    const peak = ((await settled(server.pid)) - before) / COUNT;
    return [{ name: "an idle WebSocket, server", peak, limit: LIMIT, met: peak < LIMIT }];
  } finally {
    for (const one of open) one.destroy();
    await server.stop();
  }
}

async function socket(url) {
  const opened = connect(Number(new URL(url).port), "127.0.0.1");
  opened.write(HANDSHAKE);
  const [head] = await once(opened, "data");
  if (!head.toString("latin1").startsWith("HTTP/1.1 101 ")) throw new Error("a WebSocket was refused");
  return opened;
}

/** The memory that the process holds a moment later, in bytes. */
async function settled(pid) {
  await sleep(2000);
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}
