// FastAPI, newest version, behind the whole server: what its users rely on.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { missing } from "../kit/needs.ts";
import { childrenOf, peakMemory } from "../kit/processes.ts";
import type { Served } from "../kit/serve.ts";
import { WebSocketClient } from "../kit/websocket-client.ts";
import { onlyOurs, serveAsgi } from "./asgi-site.ts";
import { MIB, uploadBig } from "./big-upload.ts";
import { json } from "./site.ts";

const JSON_HEADERS = { "Content-Type": "application/json" };

const skip = missing("py:fastapi", "py:python_multipart");

let site: Served;
const get = (path: string, init?: RequestInit) => fetch(site.url + path, init);
const post = (path: string, value: unknown) =>
  get(path, { method: "POST", headers: JSON_HEADERS, body: JSON.stringify(value) });

before(async () => {
  if (!skip) site = await serveAsgi("app:app", "fastapi_site", "--max-body", "1G");
});
after(() => site?.stop());

describe("FastAPI: requests", { skip }, () => {
  test("path and query parameters arrive with their types", async () => {
    assert.deepEqual(await json(get("/books/7?short=yes")), { number: 7, short: true });
  });

  test("what cannot be validated is FastAPI's 422, and says where", async () => {
    const response = await get("/books/seven");
    assert.equal(response.status, 422);
    assert.deepEqual((await json(Promise.resolve(response))).detail[0].loc, ["path", "number"]);
    const { detail } = await json(post("/books", { title: "", year: 1066 }));
    assert.deepEqual(
      detail.map(({ loc }: { loc: string[] }) => loc.join(".")),
      ["body.title", "body.year"],
    );
  });

  test("a body becomes a model and a model a body, outside ASCII too", async () => {
    const book = { title: "Ὀδύσσεια", year: 1488, tags: ["epic"] };
    const response = await post("/books", book);
    assert.equal(response.status, 201);
    assert.deepEqual(await response.json(), book);
  });

  test("a dependency that refuses is the answer; one that has to be closed is closed", async () => {
    const refused = await get("/private");
    assert.deepEqual([refused.status, refused.headers.get("www-authenticate")], [401, "Token"]);
    const allowed = await json(get("/private", { headers: { "X-Token": "secret" } }));
    assert.deepEqual(allowed, { user: "ann", session: "session" });
    await site.sees(/told: session closed/);
  });

  test("an ordinary function runs in a thread", async () => {
    assert.deepEqual(await json(get("/threaded")), { main: false });
  });

  test("the state of the lifespan reaches every request, and what it holds is shared", async () => {
    const first = await json(get("/state"));
    assert.equal(first.greeting, "hello from the lifespan");
    assert.equal((await json(get("/state"))).visits, first.visits + 1);
  });

  test("the application knows its address, its client and the version", async () => {
    const query = "?a=1&b=%C3%A9&a=2";
    assert.deepEqual(await json(get(`/where${query}`)), {
      url: `${site.url}/where${query}`,
      client: "127.0.0.1",
      version: "1.1",
      query: [
        ["a", "1"],
        ["b", "é"],
        ["a", "2"],
      ],
    });
  });

  test("its own pages are there: the schema and the documentation", async () => {
    const { paths } = await json(get("/openapi.json"));
    assert.ok("/books/{number}" in paths);
    assert.match(await (await get("/docs")).text(), /swagger-ui/);
  });
});

describe("FastAPI: large bodies", { skip }, () => {
  test("200 MB are uploaded to disk, byte for byte, and neither the server nor the worker holds them", async () => {
    const size = 200 * MIB;
    const processes = [site.pid, ...childrenOf(site.pid)];
    const before = processes.map(peakMemory);
    const { answer, sha256 } = await uploadBig(`${site.url}/upload`, size);
    const grown = processes.map((pid, index) => peakMemory(pid) - (before[index] ?? 0));
    assert.deepEqual(answer, { name: "big.bin", size, on_disk: true, sha256 });
    for (const bytes of grown) assert.ok(bytes < size / 2, `it grew by ${bytes} bytes`);
  });

  test("a chunked body is read as it comes", async () => {
    const pieces = Array.from({ length: 64 }, (_, index) => Buffer.alloc(65_536, index));
    const body = new ReadableStream({
      pull(controller) {
        const piece = pieces[sent++];
        if (piece) controller.enqueue(piece);
        else controller.close();
      },
    });
    let sent = 0;
    const init = { method: "PUT", body, duplex: "half" } as RequestInit;
    const sha256 = createHash("sha256").update(Buffer.concat(pieces)).digest("hex");
    assert.deepEqual(await json(get("/raw", init)), { size: 64 * 65_536, sha256 });
  });

  test("64 MiB are downloaded as they are made, byte for byte", async () => {
    const piece = Buffer.from(
      Array.from({ length: 65_536 }, (_, index) => (index * 31 + (index >> 8)) % 256),
    );
    const response = await get("/download/1024");
    let size = 0;
    for await (const chunk of response.body ?? []) {
      for (let at = 0; at < chunk.length; ) {
        const from = size % piece.length;
        const part = chunk.subarray(at, at + piece.length - from);
        assert.ok(piece.subarray(from, from + part.length).equals(part), `byte ${size} is another`);
        at += part.length;
        size += part.length;
      }
    }
    assert.equal(size, 1024 * 65_536);
  });

  test("an ordinary generator streams from a thread", async () => {
    const text = await (await get("/rows/2000")).text();
    assert.equal(text, Array.from({ length: 2000 }, (_, number) => `row ${number}\n`).join(""));
  });
});

describe("FastAPI: the life of an application", { skip }, () => {
  test("a background task runs when the response has gone, and others are answered meanwhile", async () => {
    assert.deepEqual(await json(post("/tasks/wash", {})), { accepted: "wash" });
    await site.sees(/told: task wash began/);
    assert.equal((await get("/books/1")).status, 200);
    assert.doesNotMatch(site.stderr, /told: task wash done/);
    await json(post("/tasks/wash/release", {}));
    await site.sees(/told: task wash done/);
  });

  test("an exception is a 500, with its traceback in the log, and the next request works", async () => {
    const response = await get("/boom");
    assert.equal(response.status, 500);
    assert.doesNotMatch(await response.text(), /boom in|\.py/);
    await site.sees(/RuntimeError: boom in a path operation/);
    if (!onlyOurs()) assert.equal((await get("/books/1")).status, 200);
  });

  test("two people chat; whoever stays is told that the other left, and with which code", async () => {
    const ann = await WebSocketClient.open(`${site.url}/chat/ann`);
    assert.equal(await ann.hear(), "ann came");
    const bob = await WebSocketClient.open(`${site.url}/chat/bob`);
    assert.deepEqual([await ann.hear(), await bob.hear()], ["bob came", "bob came"]);
    ann.say("hello, Ὀδυσσεύς");
    assert.equal(await bob.hear(), "ann: hello, Ὀδυσσεύς");
    assert.equal(await ann.hear(), "ann: hello, Ὀδυσσεύς");
    assert.deepEqual(await bob.close(4321, "tired"), { code: 4321, reason: "tired" });
    assert.equal(await ann.hear(), "bob left (4321)");
    ann.socket.terminate();
    assert.equal((await ann.closed).code, 1006);
  });

  test("a dependency guards a WebSocket as well", async () => {
    assert.equal((await WebSocketClient.refused(`${site.url}/guarded`)).head.statusCode, 401);
    const headers = { "X-Token": "secret" };
    const ann = await WebSocketClient.open(`${site.url}/guarded`, [], { headers });
    assert.deepEqual(await ann.hearJson(), { user: "ann" });
    assert.deepEqual(await ann.closed, { code: 1000, reason: "that was all" });
  });

  test("the lifespan begins before the first request and ends with the server", async () => {
    const other = await serveAsgi("app:app", "fastapi_site");
    assert.match(other.stderr, /told: startup[\s\S]*listening on/);
    const exit = await other.stop();
    assert.match(other.stderr, /told: shutdown/);
    if (!onlyOurs()) assert.deepEqual(exit, { code: 0, signal: null });
  });
});
