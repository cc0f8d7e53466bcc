// Large bodies and vanishing clients, over the real listener and real connections.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdir, writeFile } from "node:fs/promises";
import { get, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { fetchApp, nodeApp, staticFiles } from "../../src/apps/index.ts";
import type { Exchange, Gateway, Outcome } from "../../src/exchange/index.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { needs } from "../kit/needs.ts";
import { type ServedGateway, serveGateway } from "../kit/serve-gateway.ts";

const PIECE = Buffer.alloc(65_536, "piece of a stream ");
/** More than the kernel takes for a client that does not read. */
const PIECES = 1600;
/** What may be on its way: the kernel's buffers of both ends, and ours. */
const ON_ITS_WAY = 400;

async function serve(t: TestContext, gateway: Gateway): Promise<ServedGateway> {
  const site = await serveGateway(gateway);
  t.after(() => site.close());
  return site;
}

/** The same gateway, and the outcome of the first exchange. */
function watched(gateway: Gateway): { gateway: Gateway; outcome: Promise<Outcome> } {
  let tell: (outcome: Outcome) => void;
  const outcome = new Promise<Outcome>((resolve) => {
    tell = resolve;
  });
  const handle = (exchange: Exchange) => {
    exchange.whenClosed(tell);
    gateway.handle(exchange);
  };
  return { gateway: { ...gateway, handle }, outcome };
}

/** Resolves once `count` has stood still for a while, however busy the machine is. */
async function standsStill(count: () => number): Promise<number> {
  for (let still = 0, last = count(); still < 10; still = count() === last ? still + 1 : 0) {
    last = count();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return count();
}

async function summed(body: AsyncIterable<Uint8Array>): Promise<{ bytes: number; sum: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of body) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sum: hash.digest("hex") };
}

const whole = summed(Readable.from(Array.from({ length: PIECES }, () => PIECE)));

function* pieces(made: () => void): Generator<Buffer> {
  for (let i = 0; i < PIECES; i++) {
    made();
    yield PIECE;
  }
}

const DOWNLOADS: Record<string, (made: () => void) => Gateway> = {
  "a fetch handler": (made) =>
    fetchApp(() => {
      const source = pieces(made);
      const pull = (controller: ReadableStreamDefaultController) => {
        const { value, done } = source.next();
        if (done) controller.close();
        else controller.enqueue(value);
      };
      return new Response(new ReadableStream({ pull }));
    }),
  "a node handler": (made) => nodeApp((_req, res) => pipeline(Readable.from(pieces(made)), res)),
};
for (const [what, gateway] of Object.entries(DOWNLOADS)) {
  test(`${what} makes no more than its client takes, and the client gets all of it`, async (t) => {
    let count = 0;
    const site = await serve(
      t,
      gateway(() => count++),
    );
    const [response] = (await once(get(site.url, { agent: false }), "response")) as [IncomingMessage];
    const ahead = await standsStill(() => count);
    assert.ok(ahead < ON_ITS_WAY, `${ahead} pieces were made before the client read one`);
    assert.deepEqual(await summed(response), await whole);
  });
}

const UPLOADS: Record<string, (begin: Promise<void>) => Gateway> = {
  "a fetch handler": (begin) =>
    fetchApp(async ({ body }) => {
      await begin;
      return Response.json(await summed(body as unknown as AsyncIterable<Uint8Array>));
    }),
  "a node handler": (begin) =>
    nodeApp(async (req, res) => {
      await begin;
      res.end(JSON.stringify(await summed(req)));
    }),
};
for (const [what, gateway] of Object.entries(UPLOADS)) {
  test(`${what} that does not read holds its client back, and then gets all of it`, async (t) => {
    let begin = (): void => {};
    const site = await serve(t, gateway(new Promise((resolve) => (begin = resolve))));
    let count = 0;
    const upload = request(site.url, { method: "POST", agent: false });
    const sent = pipeline(Readable.from(pieces(() => count++)), upload);
    const ahead = await standsStill(() => count);
    assert.ok(ahead < ON_ITS_WAY, `${ahead} pieces were taken before the handler read one`);
    begin();
    const [response] = (await once(upload, "response")) as [IncomingMessage];
    const chunks = await response.toArray();
    await sent;
    assert.deepEqual(JSON.parse(Buffer.concat(chunks).toString()), await whole);
  });
}

const WAITING: Record<string, (left: () => void) => Gateway> = {
  "a fetch handler, by its signal": (left) =>
    fetchApp(
      ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            left();
            reject(signal.reason);
          });
        }),
    ),
  "a fetch handler, by the end of its stream": (left) =>
    fetchApp(
      () => new Response(new ReadableStream({ start: (c) => c.enqueue(PIECE), cancel: () => left() })),
    ),
  "a node handler, by the close of its request": (left) =>
    nodeApp((req) => {
      req.on("close", left);
    }),
  "a node handler, by the close of its response": (left) =>
    nodeApp((_req, res) => {
      res.flushHeaders();
      res.on("close", left);
    }),
};
for (const [what, gateway] of Object.entries(WAITING)) {
  test(`the client's leaving is told to ${what}`, async (t) => {
    let left = (): void => {};
    const told = new Promise<void>((resolve) => {
      left = resolve;
    });
    const seen = watched(gateway(left));
    const site = await serve(t, seen.gateway);
    const client = connect(site.port, "127.0.0.1");
    client.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    await once(client, "connect");
    setImmediate(() => client.resetAndDestroy());
    await told;
    assert.deepEqual((await seen.outcome).complete, false);
  });
}

test("a client that leaves in the middle of its upload is told to the handler that reads it", async (t) => {
  let failed = (_error: unknown): void => {};
  const failure = new Promise<unknown>((resolve) => {
    failed = resolve;
  });
  const site = await serve(
    t,
    nodeApp((req) => summed(req).catch(failed)),
  );
  const client = connect(site.port, "127.0.0.1");
  client.write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf");
  await once(client, "connect");
  setImmediate(() => client.resetAndDestroy());
  assert.equal(((await failure) as NodeJS.ErrnoException).code, "ECONNRESET");
});

test("a response that is cut looks cut to its client", async (t) => {
  const site = await serve(
    t,
    nodeApp((_req, res) => {
      res.write("some", () => res.destroy());
    }),
  );
  const response = await fetch(site.url);
  assert.equal(response.status, 200);
  await assert.rejects(response.text(), TypeError);
});

test("files are closed after every download, also those that their clients broke off", async (t) => {
  const folder = makeFolder(t);
  await writeFile(join(folder, "big"), Buffer.alloc(8_000_000));
  const site = await serve(t, staticFiles({ directory: folder }));
  const open = async () => {
    const links = await readdir("/proc/self/fd", { withFileTypes: true }).catch(() => []);
    return links.length;
  };
  const before = await open();
  for (let i = 0; i < 20; i++) {
    const client = connect(site.port, "127.0.0.1");
    client.write("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    await once(client, "data");
    client.resetAndDestroy();
    await once(client, "close");
  }
  assert.equal((await (await fetch(`${site.url}/big`)).arrayBuffer()).byteLength, 8_000_000);
  // One connection of fetch may stay open on either side.
  for (let tries = 0; (await open()) > before + 2 && tries < 500; tries++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok((await open()) <= before + 2, `${await open()} descriptors are open, ${before} were`);
});

test("curl uploads after 100-continue, to a handler that reads", async (t) => {
  if (!needs(t, "curl")) return;
  const site = await serve(
    t,
    fetchApp(async (asked) => new Response(`${(await asked.arrayBuffer()).byteLength}`)),
  );
  const folder = makeFolder(t);
  await writeFile(join(folder, "upload"), Buffer.alloc(10_000_000));
  const args = [
    "-s",
    "-v",
    "-H",
    "Expect: 100-continue",
    "--data-binary",
    `@${join(folder, "upload")}`,
    site.url,
  ];
  const { stdout, stderr } = await promisify(execFile)("curl", args);
  assert.equal(stdout, "10000000");
  assert.match(stderr, /< HTTP\/1\.1 100 Continue/);
});

test("a fetch handler may answer with what another server streamed to it", async (t) => {
  const origin = await serve(
    t,
    nodeApp((_req, res) => pipeline(Readable.from(["one ", "two"]), res)),
  );
  const site = await serve(
    t,
    fetchApp(() => fetch(origin.url)),
  );
  const response = await fetch(site.url);
  assert.deepEqual([response.status, await response.text()], [200, "one two"]);
});
