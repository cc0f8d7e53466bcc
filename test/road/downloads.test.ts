// How much new memory a long response takes on its way through the server: next to none, for its pieces are in blocks that are
// used again. Fresh ones would be garbage, of which V8 lets 80 MB pile up. Counted in bytes, not timed.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { createHash, type Hash } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import * as http2 from "node:http2";
import type { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { missing, VENV_PYTHON } from "../kit/needs.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const SERVER = here("downloads.mjs");
const APPS = here("downloads");

const MIB = 1 << 20;
const SIZE = 48 * MIB;
/** Bytes of buffers that the server may make for it: blocks in use and kept, and what is made at the start. */
const MOST = 20 * MIB;
/** A client that stops here until the response waits in memory, and in a file. */
const PAUSE = 4 * MIB;

interface Served {
  readonly url: string;
  made(): Promise<number>;
}

async function serve(t: TestContext, config: object): Promise<Served> {
  const whole = { log: { level: "error", access: "off" }, ...config };
  const child = fork(SERVER, [JSON.stringify(whole)], { env: { ...process.env, SALLYPORT_LINT: "" } });
  t.after(async () => {
    if (child.exitCode !== null) return;
    child.send("stop");
    await once(child, "exit");
  });
  const [{ urls }] = await once(child, "message");
  const made = async (): Promise<number> => {
    child.send("made");
    return (await once(child, "message"))[0].made;
  };
  return { url: urls[0], made };
}

type Ask = (url: string) => Promise<Readable>;

const http1: Ask = async (url) => {
  const asked = request(`${url}/?${SIZE}`);
  asked.end();
  return (await once(asked, "response"))[0];
};

const overHttp2: Ask = async (url) => {
  const session = http2.connect(url);
  const stream = session.request({ ":path": `/?${SIZE}` });
  stream.once("close", () => session.close());
  return stream;
};

/** What the application sends. */
function expected(): Hash {
  const hash = createHash("sha256");
  for (let at = 0; at < SIZE; at += 65_536) hash.update(Buffer.alloc(65_536, at / 65_536));
  return hash;
}

async function read(response: Readable, pauses: boolean, paused: () => Promise<unknown>): Promise<string> {
  const hash = createHash("sha256");
  let size = 0;
  let waited = !pauses;
  for await (const piece of response) {
    hash.update(piece);
    size += piece.length;
    if (waited || size < PAUSE) continue;
    waited = true;
    for (let turns = 0; turns < 200; turns++) await paused();
  }
  return hash.digest("hex");
}

const LISTEN = { listen: ["127.0.0.1:0"] };
const python = { chdir: APPS, python: VENV_PYTHON };
const WSGI = { wsgi: "varied:wsgi", ...python };
const ASGI = { asgi: "varied:asgi", ...python };

const WAYS: [name: string, app: object, ask: Ask][] = [
  ["WSGI", WSGI, http1],
  ["WSGI, threads", { ...WSGI, threads: 4 }, http1],
  ["WSGI, embedded", { ...WSGI, mode: "embedded" }, http1],
  ["WSGI, HTTP/2", WSGI, overHttp2],
  ["ASGI", ASGI, http1],
  ["ASGI, HTTP/2", ASGI, overHttp2],
];

for (const [name, app, ask] of WAYS)
  for (const pauses of [false, true])
    test(`${name}: a long response to a ${pauses ? "slow" : "quick"} client takes little new memory`, {
      skip: missing("py:flask"),
    }, async (t) => {
      const { url, made } = await serve(t, { ...LISTEN, apps: { app } });
      const before = await made();
      const response = await ask(url);
      const found = await read(response, pauses, async () => {
        await made();
        await turn();
      });
      assert.equal(found, expected().digest("hex"));
      const bytes = (await made()) - before;
      t.diagnostic(`${(bytes / MIB).toFixed(1)} MiB`);
      assert.ok(bytes < MOST, `${bytes} bytes of buffers`);
      assert.ok(bytes > 0, "the counting works");
    });

for (const protocol of ["scgi", "uwsgi", "fastcgi"])
  test(`${protocol}: a long response behind another server takes little new memory`, {
    skip: missing("py:flask"),
  }, async (t) => {
    const behind = await serve(t, { listen: [`${protocol}://127.0.0.1:0`], apps: { app: WSGI } });
    const address = behind.url.slice(behind.url.indexOf("//") + 2);
    const front = await serve(t, { ...LISTEN, apps: { app: { [protocol]: address } } });
    const before = await behind.made();
    const found = await read(await http1(front.url), false, turn);
    assert.equal(found, expected().digest("hex"));
    const bytes = (await behind.made()) - before;
    t.diagnostic(`${(bytes / MIB).toFixed(1)} MiB`);
    assert.ok(bytes < MOST, `${bytes} bytes of buffers`);
  });
