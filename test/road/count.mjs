// One request's way through the built server, counted: functions of ours that are called, files and objects that it
// passes, and natives of Node's that it crosses into. Prints JSON. Usage: node count.mjs CONFIG [HEADER ...]

import { readFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { createConnection } from "node:net";
import { fileURLToPath } from "node:url";
import { createServer } from "../../dist/index.js";
import { modulesIn } from "../kit/modules-in.mjs";

const REQUESTS = 200;
const DIST = new URL("../../dist/", import.meta.url).href;

/** Natives by what they are counted as. */
const counts = { latin1Write: 0, buffers: 0, regularExpressions: 0, clocks: 0 };

function wrap(object, name, count) {
  const own = object[name];
  object[name] = function (...args) {
    counts[count]++;
    return own.apply(this, args);
  };
}

function wrapNatives() {
  for (const name of ["latin1Write", "utf8Write", "asciiWrite", "write"])
    wrap(Buffer.prototype, name, "latin1Write");
  for (const name of ["alloc", "allocUnsafe", "allocUnsafeSlow", "from", "concat"])
    wrap(Buffer, name, "buffers");
  for (const name of ["subarray", "slice"]) wrap(Buffer.prototype, name, "buffers");
  for (const name of ["exec", "test"]) wrap(RegExp.prototype, name, "regularExpressions");
  wrap(performance, "now", "clocks");
  wrap(Date, "now", "clocks");
}

/** A client of its own kind: it must not use what is counted. */
async function client(url, request) {
  const socket = createConnection({ port: Number(new URL(url).port), host: "127.0.0.1" });
  socket.setEncoding("latin1");
  const bytes = new Uint8Array([...request].map((character) => character.charCodeAt(0)));
  let arrived;
  let text = "";
  socket.on("data", (part) => {
    text += part;
    if (text.endsWith("Hello, World!")) arrived();
  });
  return async () => {
    text = "";
    const answer = new Promise((resolve) => {
      arrived = resolve;
    });
    socket.write(bytes);
    await answer;
  };
}

const [config, ...headers] = process.argv.slice(2);
const server = createServer(JSON.parse(config));
const [url] = await server.start();
const ask = await client(url, ["GET / HTTP/1.1", ...headers, "", ""].join("\r\n"));
for (let i = 0; i < 20; i++) await ask();

const session = new Session();
session.connect();
await session.post("Profiler.enable");
await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
await ask();
await session.post("Profiler.takePreciseCoverage");
wrapNatives();
for (let i = 0; i < REQUESTS; i++) await ask();
const natives = Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, count / REQUESTS]));
const { result } = await session.post("Profiler.takePreciseCoverage");

/** By URL: the modules that its file holds. */
const modules = new Map();

function moduleAt(url, offset) {
  if (!modules.has(url)) modules.set(url, modulesIn(readFileSync(fileURLToPath(url), "utf8")));
  return modules.get(url).findLast(({ from }) => from <= offset)?.module ?? url.slice(DIST.length);
}

/** What is called less than once for two requests is a clock's, or a batch's. */
const passed = result
  .filter(({ url }) => url.startsWith(DIST))
  .flatMap(({ url, functions }) =>
    functions.flatMap(({ functionName, ranges }) => {
      const count = ranges[0].count / REQUESTS;
      return count < 0.5 ? [] : [{ file: moduleAt(url, ranges[0].startOffset), name: functionName, count }];
    }),
  );
const constructors = passed.filter(({ name }) => /^[A-Z]/.test(name));
process.stdout.write(
  JSON.stringify({
    functions: passed.length,
    calls: Math.round(passed.reduce((sum, { count }) => sum + count, 0)),
    files: new Set(passed.map(({ file }) => file)).size,
    objects: Math.round(constructors.reduce((sum, { count }) => sum + count, 0)),
    ...natives,
    passed: passed.map(({ file, name, count }) => `${file} ${name} ${count.toFixed(1)}`),
  }),
);
await server.stop(0);
process.exit(0);
