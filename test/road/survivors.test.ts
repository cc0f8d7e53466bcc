// What requests and connections leave behind once they are over: what a young collection does not take is copied, twice, and
// then kept until a full one; a busy server then stands still for milliseconds, again and again. Counted in bytes, not timed.
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import * as http2 from "node:http2";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { NODE } from "../../scripts/setup/lists.mjs";
import { nodeProgram } from "../../scripts/setup/nodes.mjs";
import { missing, VENV_PYTHON } from "../kit/needs.ts";
import { reportProgress } from "../kit/report-progress.ts";
import { handshake } from "../kit/serve-websocket.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const SERVER = here("survivors.mjs");
const APPS = here("../../bench/apps");
const CONTENT = "Hello, World!";

/** Between two collections, and how often: in the first rounds the server still learns. */
const REQUESTS = 80;
const ROUNDS = 36;
const FIRST_ROUNDS = 12;
/** Requests at a time. */
const AT_ONCE = 8;

/** Bytes of a request on a kept connection that may outlive it: what is counted and kept by age, averaged. */
const REQUEST = 600;
/** Of a connection of its own: its two or three objects of node:net, which some versions of Node keep. */
const CONNECTION = 2_400;
/** Of a WebSocket that is open and says nothing, in heap and buffers; about 4,900 when this was written, 7,900 before. */
const IDLE = 5_600;
const IDLE_SOCKETS = 500;
/** Of a stream of HTTP/2: that of node:http2, likewise. */
const STREAM = 1_700;

/** A server in a process of its own. */
class Counted {
  readonly #child: ChildProcess;
  url = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(t: TestContext, node: string, config: object): Promise<Counted> {
    const whole = { log: { level: "error", access: "off" }, ...config };
    const child = fork(SERVER, [JSON.stringify(whole)], {
      execPath: node,
      execArgv: ["--expose-gc"],
      // The contract is not checked here: it would be counted, too.
      env: { ...process.env, SALLYPORT_LINT: "" },
    });
    t.after(async () => {
      if (child.exitCode !== null) return;
      child.send("stop");
      await once(child, "exit");
    });
    const counted = new Counted(child);
    const { urls } = (await counted.#heard()) as { urls: string[] };
    counted.url = urls[0] as string;
    return counted;
  }

  async #heard(): Promise<unknown> {
    const over = new AbortController();
    const gone = once(this.#child, "exit", over).then(() => {
      throw new Error("the server has ended");
    });
    try {
      const [message] = await Promise.race([once(this.#child, "message", over), gone]);
      return message;
    } finally {
      gone.catch(() => {});
      over.abort();
    }
  }

  /** Bytes of its heap after a young collection; or of heap and buffers after a full one. */
  async used(collection: "collect" | "collect all" = "collect"): Promise<number> {
    this.#child.send(collection);
    return ((await this.#heard()) as { used: number }).used;
  }
}

/** Asks one request after the other. */
type Lane = () => Promise<void>;
type Client = (url: string, end: (end: () => void) => void) => Promise<Lane>;

const REQUEST_LINES = "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a test\r\n";
const dial = (url: string): Socket => connect(Number(new URL(url).port), "127.0.0.1");

const kept: Client = async (url, end) => {
  const socket = dial(url).setEncoding("latin1");
  end(() => socket.destroy());
  return async () => {
    socket.write(`${REQUEST_LINES}\r\n`);
    for (let text = ""; !text.includes(CONTENT); ) text += (await once(socket, "data"))[0];
  };
};

const anew: Client = async (url) => async () => {
  const socket = dial(url).setEncoding("latin1");
  socket.write(`${REQUEST_LINES}Connection: close\r\n\r\n`);
  let text = "";
  for await (const part of socket) text += part;
  assert.ok(text.includes(CONTENT), text);
};

const streams: Client = async (url, end) => {
  const session = http2.connect(url);
  end(() => session.destroy());
  return async () => {
    const stream = session.request({ ":path": "/" }).setEncoding("latin1");
    let text = "";
    for await (const part of stream) text += part;
    assert.ok(text.includes(CONTENT), text);
  };
};

/** Opens WebSockets as a browser does, and says nothing on them. */
async function openWebSockets(t: TestContext, url: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const socket = dial(url).setEncoding("latin1");
    t.after(() => socket.destroy());
    socket.write(
      handshake({ "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" }),
      "latin1",
    );
    const [head] = await once(socket, "data");
    assert.match(head, /^HTTP\/1.1 101 /);
  }
}

/** Bytes for each request by which the heaps of `servers` grew, in the middle one of all rounds: what happens once, and full collections, do not count. */
async function survivors(
  t: TestContext,
  url: string,
  client: Client,
  servers: readonly Counted[],
): Promise<number[]> {
  const lanes = await Promise.all(Array.from({ length: AT_ONCE }, () => client(url, (end) => t.after(end))));
  const heaps: number[][] = servers.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(
      lanes.map(async (ask) => {
        for (let i = 0; i < REQUESTS / AT_ONCE; i++) await ask();
      }),
    );
    for (const [i, server] of servers.entries()) heaps[i]?.push(await server.used());
    reportProgress(`round ${round + 1} of ${ROUNDS}`);
  }
  return heaps.map((heap) => median(steps(heap.slice(FIRST_ROUNDS))) / REQUESTS);
}

const steps = (numbers: readonly number[]): number[] =>
  numbers.slice(1).map((number, i) => number - (numbers[i] as number));

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] as number;

const LISTEN = { listen: ["127.0.0.1:0"] };
const python = { chdir: APPS, python: VENV_PYTHON };
const ASGI = { asgi: "asgi_hello:app", ...python };
const NODE_HANDLER = { module: here("survivors/node.mjs") };

const APPLICATIONS: [name: string, app: object][] = [
  ["WSGI", { wsgi: "hello:app", ...python }],
  ["WSGI, threads", { wsgi: "hello:app", threads: 4, ...python }],
  ["WSGI, embedded", { wsgi: "hello:app", mode: "embedded", ...python }],
  ["ASGI", ASGI],
  ["a fetch handler", { module: here("survivors/fetch.mjs") }],
  ["a node handler", NODE_HANDLER],
  ["static files", { static: here("survivors") }],
];

/** A gateway, and the listener that it calls; what may be left of a request in each. */
const PROTOCOLS: [name: string, most: number][] = [
  ["fastcgi", REQUEST],
  ["scgi", CONNECTION],
  ["uwsgi", CONNECTION],
];

function holdsOn(major: string, node: string): void {
  const on = (what: string, act: (t: TestContext) => Promise<void>): void => {
    test(
      `Node ${major}: ${what}`,
      { skip: existsSync(node) ? missing("py:flask") : `no Node ${major}` },
      act,
    );
  };

  for (const [name, app] of APPLICATIONS)
    on(`requests to ${name} leave nothing behind`, async (t) => {
      const server = await Counted.start(t, node, { ...LISTEN, apps: { app } });
      const [left = 0] = await survivors(t, server.url, kept, [server]);
      assert.ok(left < REQUEST, `${left} bytes of each request`);
    });

  on("connections leave nothing of ours behind", async (t) => {
    const server = await Counted.start(t, node, { ...LISTEN, apps: { app: NODE_HANDLER } });
    const [left = 0] = await survivors(t, server.url, anew, [server]);
    assert.ok(left < CONNECTION, `${left} bytes of each connection`);
  });

  on("an idle WebSocket to ASGI holds little", async (t) => {
    const server = await Counted.start(t, node, { ...LISTEN, apps: { app: ASGI } });
    // So that what is made once for all of them is there before.
    await openWebSockets(t, server.url, IDLE_SOCKETS);
    const before = await server.used("collect all");
    await openWebSockets(t, server.url, IDLE_SOCKETS);
    const each = ((await server.used("collect all")) - before) / IDLE_SOCKETS;
    t.diagnostic(`${each} bytes each`);
    assert.ok(each < IDLE, `${each} bytes of each WebSocket`);
    assert.ok(each > 1_000, "the counting works");
  });

  on("streams of HTTP/2 leave nothing of ours behind", async (t) => {
    const server = await Counted.start(t, node, { ...LISTEN, apps: { app: NODE_HANDLER } });
    const [left = 0] = await survivors(t, server.url, streams, [server]);
    assert.ok(left < STREAM, `${left} bytes of each stream`);
  });

  for (const [protocol, most] of PROTOCOLS) {
    on(`${protocol}: neither gateway nor listener keeps what is over`, async (t) => {
      const listen = [`${protocol}://127.0.0.1:0`];
      const behind = await Counted.start(t, node, { listen, apps: { app: NODE_HANDLER } });
      const address = behind.url.slice(behind.url.indexOf("//") + 2);
      const front = await Counted.start(t, node, { ...LISTEN, apps: { app: { [protocol]: address } } });
      const [before = 0, after = 0] = await survivors(t, front.url, kept, [front, behind]);
      assert.ok(before < most, `${before} bytes of each request in the gateway`);
      assert.ok(after < most, `${after} bytes of each request in the listener`);
    });
  }
}

const ROOT = here("../..");
holdsOn(process.versions.node.split(".")[0] as string, process.execPath);
for (const major of NODE.test) holdsOn(major, nodeProgram(ROOT, major));
