// Request bodies as a node handler sees them. After its response it reads all of one that can still arrive, and otherwise gets
// an error.
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type TestContext, test } from "node:test";
import express from "express";
import { type NodeHandler, nodeApp } from "../../src/apps/index.ts";
import {
  type Exchange,
  type Handler,
  PushedBody,
  SallyportError,
  silentLog,
} from "../../src/exchange/index.ts";
import { toNodeHandler } from "../../src/mount/index.ts";
import { beginRequest, streamEnd, streamPart, TYPE } from "../../src/protocols/fastcgi/codec.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { PROTOCOLS, Raw, startApplication, variables } from "../cgi/socket/start-halves.ts";
import { bodyText, head } from "../kit/handlers.ts";
import { data, END_STREAM, post } from "../kit/http2-frames.ts";
import { hello, serve as serveHttp1 } from "../kit/serve-http1.ts";
import { params, serve as serveFastcgi } from "../protocols/fastcgi/serve-fastcgi.ts";
import { serve as serveHttp2 } from "../protocols/http2/serve-http2.ts";

const PIECE = Buffer.alloc(10_000, "x");
const PIECES = 3;
const ALL = PIECE.length * PIECES;

/** A body that was read: how many bytes, and "end", or the code of the error. */
interface Reading {
  bytes: number;
  ended: string;
  readonly complete: boolean;
}
type ReadHandler = (
  req: IncomingMessage,
  res: ServerResponse,
  count: (chunk: Buffer) => void,
) => Promise<void>;

const sink = (count: (chunk: Buffer) => void): Writable =>
  new Writable({
    write(chunk: Buffer, _encoding, done) {
      count(chunk);
      setImmediate(done);
    },
  });

const ended = (req: IncomingMessage): Promise<void> =>
  new Promise((resolve, reject) => void req.on("end", resolve).on("error", reject));

const HANDLERS: Readonly<Record<string, ReadHandler>> = {
  "a listener for data": (req, res, count) => {
    res.end("ok");
    req.on("data", count);
    return ended(req);
  },
  "a listener for readable": (req, res, count) => {
    res.end("ok");
    req.on("readable", () => {
      for (let chunk = req.read(); chunk; chunk = req.read()) count(chunk);
    });
    return ended(req);
  },
  "a pipeline after the response": (req, res, count) => {
    res.writeHead(202).end("ok");
    return pipeline(req, sink(count));
  },
  "a pipeline before the response": (req, res, count) => {
    const piped = pipeline(req, sink(count));
    res.end("ok");
    return piped;
  },
  "an iteration that answers at the first piece": async (req, res, count) => {
    for await (const chunk of req) {
      count(chunk);
      res.end("ok");
    }
  },
};

/** A gateway whose handler answers and reads, and its reading once it is over. */
function reader(handle: ReadHandler): { handler: Handler; reading: Promise<Reading> } {
  const over = new EventEmitter();
  const reading = new Promise<Reading>((resolve) => over.once("over", resolve));
  const app = nodeApp((req, res) => {
    let bytes = 0;
    const finish = (how: string) => over.emit("over", { bytes, ended: how, complete: req.complete });
    handle(req, res, (chunk) => (bytes += chunk.length)).then(
      () => finish("end"),
      (error) => finish(String(error.code)),
    );
  });
  return { handler: (exchange) => app.handle(exchange), reading };
}

/** A client with a body of `pieces` pieces. `head` may say how long that is. */
interface Uploading {
  /** The head and the first pieces, in one write. */
  begin(first: number): void;
  /** One more piece; after the last the request ends. */
  piece(): void;
  answered(): Promise<unknown>;
  leave(): void;
}
type Connect = (t: TestContext, handler: Handler, pieces: number) => Promise<Uploading>;

/** What is sent, by the bytes of each part. */
function uploading(
  parts: { head: Uint8Array; piece: Uint8Array; end: Uint8Array; pieces: number },
  send: (...bytes: Uint8Array[]) => void,
): Pick<Uploading, "begin" | "piece"> {
  let sent = 0;
  const next = (): Uint8Array[] => (++sent === parts.pieces ? [parts.piece, parts.end] : [parts.piece]);
  return {
    begin: (first) => send(parts.head, ...Array.from({ length: first }, next).flat()),
    piece: () => send(...next()),
  };
}

const NOTHING = Buffer.alloc(0);
const POST = "POST / HTTP/1.1\r\nHost: a\r\n";

const http1 =
  (chunked: boolean): Connect =>
  async (t, handler, pieces) => {
    const client = await (await serveHttp1(t, handler)).client();
    const length = chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${PIECE.length * pieces}`;
    const head = Buffer.from(`${POST}${length}\r\n\r\n`);
    const chunk = Buffer.concat([
      Buffer.from(`${PIECE.length.toString(16)}\r\n`),
      PIECE,
      Buffer.from("\r\n"),
    ]);
    const end = Buffer.from(chunked ? "0\r\n\r\n" : "");
    return {
      ...uploading({ head, piece: chunked ? chunk : PIECE, end, pieces }, (...all) => client.send(...all)),
      answered: () => client.has("ok"),
      leave: () => client.socket.resetAndDestroy(),
    };
  };

const http2: Connect = async (t, handler, pieces) => {
  const client = await (await serveHttp2(t, handler)).client();
  return {
    ...uploading({ head: post(1), piece: data(1, PIECE), end: data(1, "", END_STREAM), pieces }, (...all) =>
      client.send(...all),
    ),
    answered: () => client.next("DATA", 1),
    leave: () => client.socket.resetAndDestroy(),
  };
};

const fastcgi: Connect = async (t, handler, pieces) => {
  const client = await (await serveFastcgi(t, handler)).client();
  const length = String(PIECE.length * pieces);
  const described = params({ REQUEST_METHOD: "POST", CONTENT_LENGTH: length });
  const head = Buffer.concat([beginRequest(1, "responder", true), described]);
  const piece = streamPart(TYPE.STDIN, 1, PIECE);
  return {
    ...uploading({ head, piece, end: streamEnd(TYPE.STDIN, 1), pieces }, (...all) => client.send(...all)),
    answered: () => client.ended(),
    leave: () => client.socket.resetAndDestroy(),
  };
};

const socketProtocol =
  (protocol: (typeof PROTOCOLS)[number]): Connect =>
  async (t, handler, pieces) => {
    const raw = await Raw.to(t, (await startApplication(t, protocol, handler)).address);
    const head = protocol.encode(variables(["REQUEST_METHOD", "POST"]), PIECE.length * pieces);
    return {
      ...uploading({ head, piece: PIECE, end: NOTHING, pieces }, (...all) => raw.send(...all)),
      answered: () => raw.has("ok"),
      leave: () => raw.socket.resetAndDestroy(),
    };
  };

/** Those that read on after a response, and those where the response is the end. */
const READ_ON: Readonly<Record<string, Connect>> = {
  "HTTP/1.1": http1(false),
  "HTTP/1.1, chunked": http1(true),
  "HTTP/2": http2,
};
const STOP: Readonly<Record<string, Connect>> = {
  FastCGI: fastcgi,
  ...Object.fromEntries(PROTOCOLS.map((protocol) => [protocol.name, socketProtocol(protocol)])),
};

const isLost = ({ bytes, ended: how, complete }: Reading, all: number): void => {
  assert.equal(how, "ERR_SALLYPORT_BODY_INCOMPLETE");
  assert.ok(bytes < all, `${bytes} bytes`);
  assert.equal(complete, false);
};

for (const [how, handle] of Object.entries(HANDLERS)) {
  for (const [name, connect] of Object.entries({ ...READ_ON, ...STOP }))
    test(`${name}: ${how} gets a body that came with its head`, async (t) => {
      const { handler, reading } = reader(handle);
      const client = await connect(t, handler, PIECES);
      client.begin(PIECES);
      assert.deepEqual(await reading, { bytes: ALL, ended: "end", complete: true });
    });

  for (const [name, connect] of Object.entries(READ_ON))
    test(`${name}: ${how} gets what arrives after the response`, async (t) => {
      const { handler, reading } = reader(handle);
      const client = await connect(t, handler, PIECES);
      client.begin(1);
      await client.answered();
      client.piece();
      client.piece();
      assert.deepEqual(await reading, { bytes: ALL, ended: "end", complete: true });
    });

  for (const [name, connect] of Object.entries(STOP))
    test(`${name}: ${how} gets an error where the response is the end of the request`, async (t) => {
      const { handler, reading } = reader(handle);
      const client = await connect(t, handler, PIECES);
      client.begin(1);
      await client.answered();
      isLost(await reading, ALL);
    });

  test(`${how} gets all that waited unread`, async () => {
    const body = new PushedBody(undefined, { pause() {}, resume() {} });
    const { handler, reading } = reader(handle);
    for (let i = 0; i < PIECES; i++) body.push(PIECE);
    body.end();
    handler(new RecordedExchange({ method: "POST", body }));
    assert.deepEqual(await reading, { bytes: ALL, ended: "end", complete: true });
  });

  test(`${how} hears of a body that fails after the response`, async () => {
    const body = new PushedBody(undefined, { pause() {}, resume() {} });
    const { handler, reading } = reader(handle);
    const exchange = new RecordedExchange({ method: "POST", body });
    body.push(PIECE);
    handler(exchange);
    await exchange.done;
    body.close(new SallyportError("BODY_INCOMPLETE", "lost"));
    isLost(await reading, ALL);
  });
}

/** More than is read after a response. */
const TOO_MANY = 40;

for (const [name, connect] of Object.entries(READ_ON)) {
  const handle = HANDLERS["a pipeline after the response"] as ReadHandler;

  test(`${name}: no more is read after the response than of an unwanted body`, async (t) => {
    const { handler, reading } = reader(handle);
    const client = await connect(t, handler, TOO_MANY);
    client.begin(1);
    await client.answered();
    for (let i = 1; i < TOO_MANY; i++) client.piece();
    isLost(await reading, TOO_MANY * PIECE.length);
  });

  test(`${name}: a client that leaves after the response is an error`, async (t) => {
    const { handler, reading } = reader(handle);
    const client = await connect(t, handler, PIECES);
    client.begin(1);
    await client.answered();
    client.leave();
    isLost(await reading, ALL);
  });
}

test("HTTP/1.1: the next request follows a body that was read after the response", async (t) => {
  const { handler, reading } = reader(HANDLERS["a pipeline after the response"] as ReadHandler);
  const either: Handler = (exchange) => (exchange.request.method === "GET" ? hello : handler)(exchange);
  const client = await (await serveHttp1(t, either)).client();
  client.send(`${POST}Content-Length: ${ALL}\r\n\r\n`, PIECE);
  await client.has("ok");
  client.send(PIECE, PIECE, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal((await reading).bytes, ALL);
  assert.match(await client.has("GET /"), /GET \/ /);
});

for (const version of ["1.1", "2"])
  test(`HTTP/${version}: a late reader asks for no body of a client that waits for 100 Continue`, async (t) => {
    const { handler, reading } = reader(HANDLERS["a pipeline after the response"] as ReadHandler);
    if (version === "2") {
      const client = await (await serveHttp2(t, handler)).client();
      client.send(post(1, "expect", "100-continue"));
      await reading;
      await client.next("DATA", 1);
      assert.doesNotMatch(client.story(1), /HEADERS.*HEADERS/);
    } else {
      const client = await (await serveHttp1(t, handler)).client();
      client.send(`${POST}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n`);
      assert.doesNotMatch(await client.has("ok"), /100 Continue/);
    }
    isLost(await reading, 5);
  });

const parsed = (): Handler => {
  const app = express();
  app.post("/", express.json(), (req, res) => void res.send(JSON.stringify([req.body, req.rawHeaders])));
  const gateway = nodeApp(app);
  return (exchange) => gateway.handle(exchange);
};
const JSON_TEXT = '{"a":1}';

test("HTTP/2: a body parser sees a body of unknown length", async (t) => {
  const client = await (await serveHttp2(t, parsed())).client();
  client.send(post(1, "content-type", "application/json"), data(1, JSON_TEXT, END_STREAM));
  await client.next("DATA", 1);
  const [body, rawHeaders] = JSON.parse(client.body(1));
  assert.deepEqual(body, { a: 1 });
  assert.deepEqual(rawHeaders, ["host", "a.test", "content-type", "application/json"]);
});

test("FastCGI: a body parser sees a body of unknown length", async (t) => {
  const client = await (await serveFastcgi(t, parsed())).client();
  const described = params({
    REQUEST_METHOD: "POST",
    REQUEST_URI: "/",
    SCRIPT_NAME: "",
    PATH_INFO: "/",
    CONTENT_TYPE: "application/json",
  });
  const body = [streamPart(TYPE.STDIN, 1, Buffer.from(JSON_TEXT)), streamEnd(TYPE.STDIN, 1)];
  const { stdout } = await client.send(beginRequest(1, "responder", true), described, ...body).ended();
  assert.match(stdout, /\r\n\r\n\[\{"a":1\}/);
  assert.doesNotMatch(stdout, /transfer-encoding/i);
});

test("FastCGI: a gateway mounted in a node handler reads a body of unknown length, without a field that was not sent", async (t) => {
  const gateway = {
    handle(exchange: Exchange): void {
      const { body, request } = exchange;
      const answer = (text: string) =>
        exchange.respond(head(), JSON.stringify([text, body.length ?? null, request]));
      bodyText(exchange).then(answer, (error) => exchange.fail(error));
    },
  };
  const app = nodeApp(toNodeHandler(gateway, { log: silentLog }) as NodeHandler);
  const client = await (await serveFastcgi(t, (exchange) => app.handle(exchange))).client();
  const body = [streamPart(TYPE.STDIN, 1, Buffer.from("hello")), streamEnd(TYPE.STDIN, 1)];
  const { stdout } = await client
    .send(beginRequest(1, "responder", true), params({ REQUEST_METHOD: "POST" }), ...body)
    .ended();
  assert.match(stdout, /\r\n\r\n\["hello",null,/);
  assert.doesNotMatch(stdout, /transfer-encoding/i);
});

test("a request without a body, or with one of a known length, has no Transfer-Encoding", async () => {
  const seen: unknown[] = [];
  const app = nodeApp((req, res) => {
    seen.push(req.headers["transfer-encoding"]);
    res.end();
  });
  const headers = ["Content-Length", "5"];
  const body = new PushedBody(5, { pause() {}, resume() {} });
  for (const request of [{}, { method: "POST", headers, body }, { method: "POST", headers, body: "whole" }])
    app.handle(new RecordedExchange(request));
  assert.deepEqual(seen, [undefined, undefined, undefined]);
});
