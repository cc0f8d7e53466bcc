// The Request that fetch apps get, in both its makings: the light one, whose parts are made late, and the whole one. What
// holds for one has to hold for the other, and for Node's own.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { inspect } from "node:util";
import { lightRequest } from "../../src/apps/fetch-light.ts";
import type { RequestMaker } from "../../src/apps/fetch-parts.ts";
import { wholeRequest } from "../../src/apps/fetch-whole.ts";
import { useFastRequests } from "../../src/apps/index.ts";
import { PushedBody, SallyportError } from "../../src/exchange/index.ts";
import { RecordedExchange, type RecordedRequest } from "../../src/testing/recorded.ts";

const NodeRequest = Request;
const source = { pause() {}, resume() {} };
const FORM = "application/x-www-form-urlencoded";
const HEADERS = ["Host", "localhost", "X-A", "1", "x-a", "2", "Cookie", "a=1", "Cookie", "b=2"];

describe("a light request", () => {
  replacesGlobals();
  looksLikeNodes(lightRequest);
  becomesAnother(lightRequest);
  goesThroughFetch(lightRequest);
  givesItsBody(lightRequest);
});

describe("a whole request", () => {
  looksLikeNodes(wholeRequest);
  becomesAnother(wholeRequest);
  goesThroughFetch(wholeRequest);
  givesItsBody(wholeRequest);
});

/** From Node 24 on a light one is for programs that have called `useFastRequests`. */
function replacesGlobals(): void {
  const { Request, fetch } = globalThis;
  before(useFastRequests);
  after(() => Object.assign(globalThis, { Request, fetch }));
}

function requestsOf(make: RequestMaker) {
  const made = (request: RecordedRequest = {}) => {
    const exchange = new RecordedExchange(request);
    return { exchange, request: make(exchange, "http://localhost", request.method ?? "GET") };
  };
  const posted = (body: RecordedRequest["body"], headers: string[] = []) =>
    made({ method: "POST", headers: ["Host", "localhost", ...headers], ...(body && { body }) }).request;
  return { made, posted };
}

function looksLikeNodes(make: RequestMaker): void {
  const { made } = requestsOf(make);

  test("is a Request, also by its constructor and its tag", () => {
    const { request } = made();
    assert.ok(request instanceof Request);
    assert.equal(Object.prototype.toString.call(request), "[object Request]");
  });

  test("has every property that Node's own has, with the same value", () => {
    const { request } = made({ target: "/a?b", headers: HEADERS });
    const own = new Request("http://localhost/a?b");
    const names = Object.entries(Object.getOwnPropertyDescriptors(NodeRequest.prototype))
      .filter(([name, { get }]) => get && !["headers", "signal"].includes(name))
      .map(([name]) => name as keyof Request);
    assert.ok(names.length > 10);
    for (const name of names) assert.equal(request[name], own[name], name);
  });

  test("joins repeated headers as the standard does, and what the app changes stays changed", () => {
    const { request } = made({ headers: HEADERS });
    const { headers } = request;
    assert.deepEqual(
      [headers.get("x-a"), headers.get("cookie"), headers.get("y")],
      ["1, 2", "a=1; b=2", null],
    );
    headers.set("y", "1");
    const copy = new Request(request);
    assert.equal(copy.headers.get("y"), "1");
    headers.set("y", "2");
    assert.equal(request.headers, headers);
    assert.deepEqual([request.clone().headers.get("y"), copy.headers.get("y")], ["2", "1"]);
  });

  test("shows itself as Node's own does", () => {
    assert.match(
      inspect(made({ target: "/shown" }).request),
      /^\w*Request \{.*url: 'http:\/\/localhost\/shown'/s,
    );
  });
}

function becomesAnother(make: RequestMaker): void {
  const { posted } = requestsOf(make);

  test("can be made into another Request, with changes", async () => {
    const changed = new Request(posted("text", ["X-A", "1"]), { headers: { "x-b": "2" } });
    assert.deepEqual([changed.method, changed.url], ["POST", "http://localhost/"]);
    assert.deepEqual([changed.headers.get("x-a"), changed.headers.get("x-b")], [null, "2"]);
    assert.equal(await changed.text(), "text");
  });

  test("can be made into one for another URL", async () => {
    const moved = new Request("http://elsewhere/x", posted("text", ["X-A", "1"]));
    assert.deepEqual(
      [moved.url, moved.method, moved.headers.get("x-a")],
      ["http://elsewhere/x", "POST", "1"],
    );
    assert.equal(await moved.text(), "text");
  });
}

function goesThroughFetch(make: RequestMaker): void {
  test("can be handed to fetch(), which sends its method, headers and body", async (t) => {
    const server = createServer((req, res) => {
      req.setEncoding("utf8").on("data", (text) => res.write(`${req.method} ${req.headers["x-a"]} ${text}`));
      req.on("end", () => res.end());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close());
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const exchange = new RecordedExchange({ method: "PUT", body: "text", headers: ["X-A", "1"] });
    const response = await fetch(make(exchange, origin, "PUT"));
    assert.equal(await response.text(), "PUT 1 text");
  });

  test("gives fetch() up when the client leaves", async (t) => {
    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close().closeAllConnections());
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const exchange = new RecordedExchange();
    const request = make(exchange, origin, "GET");
    server.once("request", () => exchange.hangUp());
    await assert.rejects(fetch(request, { signal: request.signal }), { name: "AbortError" });
  });

  test("aborts its signal, the same at every look, and those of its clones, when the client leaves", () => {
    const { exchange, request } = requestsOf(make).made();
    const clone = request.clone();
    assert.equal(request.signal, request.signal);
    exchange.hangUp();
    assert.deepEqual([request.signal.aborted, clone.signal.aborted], [true, true]);
  });
}

function givesItsBody(make: RequestMaker): void {
  const { made, posted } = requestsOf(make);

  const readers: readonly [string, (request: Request) => Promise<unknown>, unknown][] = [
    ["text()", (request) => request.text(), "a=1"],
    ["arrayBuffer()", async (request) => Buffer.from(await request.arrayBuffer()).toString(), "a=1"],
    [
      "blob()",
      async (request) => [await (await request.blob()).text(), (await request.blob).length],
      ["a=1", 0],
    ],
    ["formData()", async (request) => [...(await request.formData())], [["a", "1"]]],
    ["a stream", (request) => textOf(request.body), "a=1"],
  ];
  for (const [name, read, expected] of readers) {
    for (const [how, body] of [
      ["whole", () => Buffer.from("a=1")],
      ["in pieces", () => inPieces("a", "=", "1")],
    ] as const)
      test(`gives a body that came ${how} by ${name}, once`, async () => {
        const request = posted(body(), ["Content-Type", FORM]);
        assert.equal(request.bodyUsed, false);
        assert.deepEqual(await read(request), expected);
        assert.equal(request.bodyUsed, true);
        await assert.rejects(request.text(), TypeError);
        await assert.rejects(request.json(), TypeError);
        assert.throws(() => request.clone(), TypeError);
        assert.throws(() => new Request(request), TypeError);
        assert.equal(request.body?.locked || request.bodyUsed, true);
      });
  }

  test("reads JSON, and rejects what is none with a SyntaxError", async () => {
    assert.deepEqual(await posted('\ufeff{"a":[1]}').json(), { a: [1] });
    await assert.rejects(posted("{").json(), SyntaxError);
  });

  test("gives bytes in memory of their own", async () => {
    const memory = Buffer.from("__text__");
    const bytes = await posted(memory.subarray(2, 6)).arrayBuffer();
    memory.fill(0);
    assert.equal(Buffer.from(bytes).toString(), "text");
  });

  test("without a body gives an empty text, as often as it is asked", async () => {
    const { request } = made();
    assert.deepEqual([request.body, await request.text(), await request.text()], [null, "", ""]);
    assert.equal(request.bodyUsed, false);
    await assert.rejects(request.json(), SyntaxError);
  });

  test("rejects with what broke the body off", async () => {
    for (const name of ["text", "json", "arrayBuffer", "formData"] as const) {
      const body = new PushedBody(10, source);
      const request = posted(body, ["Content-Type", FORM]);
      const read = request[name]();
      body.fail(new SallyportError("BODY_INCOMPLETE", "the client stopped"));
      // formData() rejects with an error of its own.
      await assert.rejects(read, name === "formData" ? Error : { code: "ERR_SALLYPORT_BODY_INCOMPLETE" });
    }
  });

  test("has two readable bodies after clone()", async () => {
    for (const body of [Buffer.from("text"), inPieces("te", "xt")]) {
      const request = posted(body);
      const clone = request.clone();
      assert.deepEqual([await request.text(), await clone.text()], ["text", "text"]);
    }
  });
}

function inPieces(...pieces: readonly string[]): PushedBody {
  const body = new PushedBody(undefined, source);
  for (const piece of pieces) body.push(Buffer.from(piece));
  body.end();
  return body;
}

async function textOf(stream: ReadableStream<Uint8Array> | null): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream ?? []) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
