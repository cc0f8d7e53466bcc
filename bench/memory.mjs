// How much memory a large body takes: 1 GiB up and 1 GiB down through WSGI, and the most that each process ever held.
import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { start } from "./contender.mjs";
import { serve } from "./contenders.mjs";

const MIB = 1 << 20;
const SIZE = 1024 * MIB;
/** What the server and a worker may hold at most, each: 120 MB. */
const LIMIT = 120_000_000;

/** Gives a row for each direction and process. */
export async function memory(context, say) {
  const rows = [];
  for (const [direction, transfer] of [
    ["1 GiB upload", upload],
    ["1 GiB download", download],
  ]) {
    say(`memory: ${direction}`);
    const server = await start((port) => serve({ ...context, port }, "transfer:app", "--max-body", "2G"));
    try {
      await transfer(server.url);
      rows.push(...peaks(direction, server.pid));
    } finally {
      await server.stop();
    }
  }
  return rows;
}

async function upload(url) {
  const piece = Buffer.alloc(256 * 1024, "u");
  function* body() {
    for (let sent = 0; sent < SIZE; sent += piece.length) yield piece;
  }
  const outgoing = request(url, { method: "POST", headers: { "Content-Length": SIZE } });
  const [counted] = await Promise.all([
    answer(outgoing, readText),
    pipeline(Readable.from(body()), outgoing),
  ]);
  if (counted !== String(SIZE)) throw new Error(`the upload arrived as ${counted}`);
}

async function download(url) {
  const outgoing = request(`${url}/?${SIZE}`);
  outgoing.end();
  const size = await answer(outgoing, count);
  if (size !== SIZE) throw new Error(`the download ended after ${size} bytes`);
}

/** What `read` makes of the response. */
const answer = (outgoing, read) =>
  new Promise((resolve, reject) => {
    outgoing.once("error", reject).once("response", (response) => read(response).then(resolve, reject));
  });

const readText = async (response) => (await response.setEncoding("utf8").toArray()).join("");

async function count(response) {
  let size = 0;
  for await (const chunk of response) size += chunk.length;
  return size;
}

function peaks(direction, pid) {
  const row = (process) => (id) => {
    const peak = highWater(id);
    return { name: `${direction}, ${process}`, peak, limit: LIMIT, met: peak < LIMIT };
  };
  return [row("server")(pid), ...children(pid).map(row("worker"))];
}

/** The most that a process ever had in memory, in bytes. */
const highWater = (pid) =>
  Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

const children = (pid) =>
  readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim().split(" "))
    .filter(Boolean)
    .map(Number);
