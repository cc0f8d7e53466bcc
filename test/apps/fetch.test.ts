import assert from "node:assert/strict";
import { test } from "node:test";
import { getConnInfo } from "@hono/node-server/conninfo";
import { Hono } from "hono";
import { type FetchFunction, fetchApp } from "../../src/apps/index.ts";
import {
  headerValues,
  type LogFields,
  PushedBody,
  SallyportError,
  silentLog,
} from "../../src/exchange/index.ts";
import { lint } from "../../src/exchange/lint.ts";
import { type Recorded, RecordedExchange, type RecordedRequest } from "../../src/testing/recorded.ts";

function ask(app: FetchFunction, request: RecordedRequest = {}): Promise<Recorded> {
  const exchange = new RecordedExchange(request);
  fetchApp(app).handle(exchange);
  return exchange.done;
}

const source = { pause() {}, resume() {} };
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("the request has method, URL with query, headers, and the facts come second", async () => {
  const app: FetchFunction = (request, { remote, local, mount }) =>
    Response.json([request.method, request.url, request.headers.get("x-a"), remote.port, local.port, mount]);
  const headers = ["Host", "example.org", "X-A", "1", "x-a", "2"];
  const { body } = await ask(app, {
    method: "DELETE",
    target: "/m/p%20q?x=%31&y",
    authority: "example.org:81",
    scheme: "https",
    headers,
    mount: "/m",
  });
  const expected = ["DELETE", "https://example.org:81/m/p%20q?x=%31&y", "1, 2", 50_000, 8000, "/m"];
  assert.deepEqual(JSON.parse(body.toString()), expected);
});

test("Hono's getConnInfo for node knows the client's address", async () => {
  const app = new Hono().get("/", (c) => c.json(getConnInfo(c).remote));
  const { body } = await ask(app.fetch as FetchFunction);
  const remote = { address: "127.0.0.1", port: 50_000, addressType: "IPv4" };
  assert.deepEqual(JSON.parse(body.toString()), remote);
});

test("the request is a true Request, with the address of the client", async () => {
  const app: FetchFunction = (request) =>
    Response.json([
      request instanceof Request,
      (request as Request & { ip: string }).ip,
      new Request(request).url,
    ]);
  const { body } = await ask(app);
  assert.deepEqual(JSON.parse(body.toString()), [true, "127.0.0.1", "http://localhost/"]);
});

test("an app is an object with a fetch method as well as a function", async () => {
  const app = {
    name: "object",
    fetch() {
      return new Response(this.name);
    },
  };
  const exchange = new RecordedExchange();
  fetchApp(app).handle(exchange);
  assert.equal((await exchange.done).body.toString(), "object");
});

test("a client that names no host gets the address that it called in the URL", async () => {
  const { body } = await ask(({ url }) => new Response(url), { authority: "", version: "1.0", headers: [] });
  assert.equal(body.toString(), "http://127.0.0.1:8000/");
});

for (const authority of ["a b", "user@host", "host/path", "host:99999", "[::1", "a\\b"]) {
  test(`the host ${JSON.stringify(authority)} is refused with 400 and the app is not asked`, async () => {
    let asked = false;
    const { status, body } = await ask(
      () => {
        asked = true;
        return new Response();
      },
      { authority },
    );
    assert.deepEqual([status, asked], [400, false]);
    assert.match(body.toString(), /ERR_SALLYPORT_BAD_HOST/);
  });
}

test("a method that no Request can have is refused with 405", async () => {
  assert.equal((await ask(() => new Response(), { method: "TRACE" })).status, 405);
});

test("a header that no Headers can hold is refused with 400", async () => {
  const { status } = await ask(() => new Response(), { headers: ["Host", "h", "bad name", "x"] });
  assert.equal(status, 400);
});

test("a whole request body is handed over as it is", async () => {
  const body = Buffer.from([0, 255, 1, 254]);
  const app: FetchFunction = async (request) => new Response(await request.arrayBuffer());
  assert.deepEqual((await ask(app, { method: "POST", body })).body, body);
});

test("a request without a body has none, and a body on GET is thrown away", async () => {
  const app: FetchFunction = (request) => new Response(String(request.body));
  assert.equal((await ask(app, { method: "POST" })).body.toString(), "null");
  const body = new PushedBody(3, source);
  assert.equal((await ask(app, { body })).body.toString(), "null");
  assert.equal(body.discarded, true);
});

test("a streamed request body is asked for at the first read, and not before", async () => {
  let reading = false;
  const asked: boolean[] = [];
  const body = new PushedBody(undefined, {
    ...source,
    wanted() {
      asked.push(reading);
      body.push(Buffer.from("on demand"));
      body.end();
    },
  });
  const app: FetchFunction = async (request) => {
    await turn();
    reading = true;
    return new Response(await request.text());
  };
  assert.equal((await ask(app, { method: "POST", body })).body.toString(), "on demand");
  assert.deepEqual(asked, [true]);
});

test("an app that reads slowly holds its client back", async () => {
  let paused = false;
  const body = new PushedBody(
    undefined,
    { pause: () => (paused = true), resume: () => (paused = false) },
    100,
  );
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  const app: FetchFunction = async (request) => {
    reader = request.body?.getReader();
    return new Response("reading");
  };
  await ask(app, { method: "POST", body });
  for (let i = 0; i < 4; i++) body.push(Buffer.alloc(60));
  await turn();
  assert.equal(paused, true);
  for (let i = 0; i < 4; i++) await reader?.read();
  assert.equal(paused, false);
});

test("a request body that breaks off is the client's fault, even through the app's own rejection", async () => {
  const body = new PushedBody(10, source);
  const answer = ask(async (request) => new Response(await request.text()), { method: "POST", body });
  body.push(Buffer.from("short"));
  body.fail(new SallyportError("BODY_INCOMPLETE", "the client stopped"));
  const { status, body: text } = await answer;
  assert.equal(status, 400);
  assert.match(text.toString(), /ERR_SALLYPORT_BODY_INCOMPLETE/);
});

test("status, reason and headers pass, and each Set-Cookie stays by itself", async () => {
  const headers = new Headers({ "X-B": "2" });
  headers.append("Set-Cookie", "a=1; Path=/");
  headers.append("Set-Cookie", "b=2, c");
  const recorded = await ask(() => new Response("made", { status: 201, statusText: "Made It", headers }));
  assert.deepEqual([recorded.status, recorded.reason, recorded.body.toString()], [201, "Made It", "made"]);
  assert.deepEqual(headerValues(recorded.headers, "set-cookie"), ["a=1; Path=/", "b=2, c"]);
  assert.deepEqual(headerValues(recorded.headers, "x-b"), ["2"]);
});

test("a body of text leaves in one call, with its head", async () => {
  const exchange = new RecordedExchange();
  const started = test.mock.method(exchange, "start");
  fetchApp(() => new Response("whole")).handle(exchange);
  assert.equal((await exchange.done).body.toString(), "whole");
  assert.equal(started.mock.callCount(), 0);
});

test("a response without a body, and one to HEAD, ends with no byte", async () => {
  assert.equal((await ask(() => new Response(null, { status: 204 }))).status, 204);
  let cancelled = false;
  const stream = () =>
    new ReadableStream({
      cancel() {
        cancelled = true;
      },
    });
  const head = await ask(() => new Response(stream(), { headers: { "Content-Length": "5" } }), {
    method: "HEAD",
  });
  assert.deepEqual([head.status, head.complete, head.bytes, cancelled], [200, true, 0, true]);
  assert.deepEqual(headerValues(head.headers, "content-length"), ["5"]);
});

test("the first piece of a stream leaves before the second exists", async () => {
  const exchange = new RecordedExchange();
  let controller: ReadableStreamDefaultController | undefined;
  const stream = new ReadableStream({
    start(given) {
      controller = given;
      given.enqueue(Buffer.from("one "));
    },
  });
  fetchApp(() => new Response(stream)).handle(exchange);
  await turn();
  assert.equal(Buffer.concat(exchange.chunks).toString(), "one ");
  controller?.enqueue(Buffer.from("two"));
  controller?.close();
  assert.equal((await exchange.done).body.toString(), "one two");
});

test("a stream is pulled no further than one piece ahead of a client that does not read", async () => {
  const exchange = new RecordedExchange();
  exchange.stalled = true;
  let pulled = 0;
  const stream = new ReadableStream(
    {
      pull(controller) {
        pulled++;
        if (pulled > 100) controller.close();
        else controller.enqueue(Buffer.alloc(1000));
      },
    },
    { highWaterMark: 0 },
  );
  fetchApp(() => new Response(stream)).handle(exchange);
  for (let i = 0; i < 20; i++) await turn();
  assert.ok(pulled <= 3, `${pulled} pieces were pulled`);
  exchange.release();
  const { body, complete } = await exchange.done;
  assert.deepEqual([body.length, complete], [100_000, true]);
});

test("a body stream that fails after the head is a visible cut", async () => {
  const stream = new ReadableStream({
    async pull(controller) {
      controller.enqueue(Buffer.from("some"));
      await turn();
      controller.error(new Error("lost the database"));
    },
  });
  const { complete, status, error } = await ask(() => new Response(stream));
  assert.deepEqual([complete, status, error?.code], [false, 200, "ERR_SALLYPORT_APP_RAISED"]);
});

test("a body stream that fails at once is a 500", async () => {
  const stream = new ReadableStream({ pull: (controller) => controller.error(new Error("no database")) });
  assert.equal((await ask(() => new Response(stream))).status, 500);
});

test("a body stream that carries text is against the rules, and cut", async () => {
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue("text");
    },
  });
  const { status, body } = await ask(() => new Response(stream));
  assert.equal(status, 500);
  assert.match(body.toString(), /APP_PROTOCOL/);
});

for (const [how, app] of [
  [
    "throws",
    () => {
      throw new Error("secret reason");
    },
  ],
  [
    "rejects",
    async () => {
      throw new Error("secret reason");
    },
  ],
] as const) {
  test(`an app that ${how} is a 500 that keeps the reason, and the stack, for the log`, async () => {
    const lines: [string, LogFields | undefined][] = [];
    const log = {
      ...silentLog,
      error: (message: string, fields?: LogFields) => lines.push([message, fields]),
    };
    const { status, body } = await ask(app as FetchFunction, { log });
    assert.equal(status, 500);
    assert.doesNotMatch(body.toString(), /secret/);
    assert.match(lines[0]?.[0] ?? "", /secret reason/);
    assert.match(String(lines[0]?.[1]?.detail), /fetch\.test\.ts/);
  });
}

for (const [what, value] of [
  ["undefined", undefined],
  ["a string", "hello"],
  ["a plain object", { status: 200 }],
  ["an error response", Response.error()],
] as const) {
  test(`an app that returns ${what} breaks the rules: 500`, async () => {
    const { status, body } = await ask((() => value) as unknown as FetchFunction);
    assert.equal(status, 500);
    assert.match(body.toString(), /ERR_SALLYPORT_APP_PROTOCOL/);
  });
}

test("an app that returns a used Response breaks the rules: 500", async () => {
  const used = new Response("x");
  used.body?.getReader();
  assert.equal((await ask(() => used)).status, 500);
});

test("a header with a control character never leaves", async () => {
  const { status } = await ask(() => new Response("x", { headers: { "X-A": "a\u0001b" } }));
  assert.equal(status, 500);
});

test("the signal aborts, and the body stream is cancelled, when the client leaves", async () => {
  const exchange = new RecordedExchange();
  let signal: AbortSignal | undefined;
  let cancelled: unknown;
  const stream = new ReadableStream({
    pull: (controller) => controller.enqueue(Buffer.from("more")),
    cancel(reason) {
      cancelled = reason;
    },
  });
  exchange.stalled = true;
  fetchApp((request) => {
    signal = request.signal;
    return new Response(stream);
  }).handle(exchange);
  await turn();
  assert.equal(signal?.aborted, false);
  exchange.hangUp();
  await turn();
  assert.equal(signal?.aborted, true);
  assert.ok(cancelled instanceof SallyportError);
});

test("the body stream of a Response that comes after the time limit is cancelled: nothing reads it", async () => {
  const exchange = new RecordedExchange();
  const late = turn();
  let cancelled = false;
  const stream = new ReadableStream({
    cancel() {
      cancelled = true;
    },
  });
  fetchApp(() => late.then(() => new Response(stream))).handle(exchange);
  exchange.fail(new SallyportError("APP_TIMEOUT", "too late"));
  assert.equal((await exchange.done).status, 504);
  await turn();
  await turn();
  assert.equal(cancelled, true);
});

test("the signal stays quiet after a complete response, and is aborted at once when looked at too late", async () => {
  let kept: Request | undefined;
  await ask((request) => {
    kept = request;
    return new Response("done");
  });
  assert.equal(kept?.signal.aborted, false);
  const exchange = new RecordedExchange();
  let late: Request | undefined;
  const waiting = turn();
  fetchApp(async (request) => {
    late = request;
    await waiting;
    return new Response("late");
  }).handle(exchange);
  exchange.hangUp();
  await waiting;
  assert.equal(late?.signal.aborted, true);
});

test("the signal that is looked at only after the server has answered instead is aborted", async () => {
  const exchange = new RecordedExchange();
  let late: Request | undefined;
  fetchApp((request) => {
    late = request;
    return new Promise(() => {});
  }).handle(exchange);
  exchange.fail(new SallyportError("STOPPING", "the server stopped"));
  assert.equal(late?.signal.aborted, true);
});

for (const [what, answer] of Object.entries<(stream: ReadableStream) => Promise<Response>>({
  "that has given none": () => new Promise(() => {}),
  "whose body has not begun": async (stream) => new Response(stream),
}))
  test(`the signal of an app ${what} aborts when its time is over, and the server answers instead`, async () => {
    const exchange = new RecordedExchange();
    let signal: AbortSignal | undefined;
    fetchApp(
      (request) => {
        signal = request.signal;
        return answer(new ReadableStream());
      },
      { timeout: 0.01, log: silentLog },
    ).handle(exchange);
    // The timer of the limit keeps no process alive.
    const alive = setInterval(() => {}, 1_000);
    assert.equal((await exchange.done).status, 504);
    clearInterval(alive);
    assert.equal(signal?.aborted, true);
  });

async function* twoPieces(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield Buffer.from("a");
  await turn();
  yield Buffer.from("b");
}

for (const [how, body] of Object.entries<() => ConstructorParameters<typeof Response>[0]>({
  "a text": () => "done",
  "no body": () => null,
  "a stream": () => ReadableStream.from(twoPieces()),
}))
  test(`the signal of an app that answers with ${how} stays quiet`, async () => {
    let signal: AbortSignal | undefined;
    const { complete } = await ask((request) => {
      signal = request.signal;
      return new Response(body());
    });
    assert.deepEqual([complete, signal?.aborted], [true, false]);
  });

test("an app that gives no response in its time is answered for with 504", async () => {
  const exchange = new RecordedExchange();
  fetchApp(() => new Promise(() => {}), { timeout: 0.01 }).handle(exchange);
  // The deadline does not keep a process alive by itself.
  const alive = setInterval(() => {}, 1000);
  const { status, body } = await exchange.done;
  clearInterval(alive);
  assert.equal(status, 504);
  assert.match(body.toString(), /ERR_SALLYPORT_APP_TIMEOUT/);
});

test("what an app raises after its client was answered is told to the log", async () => {
  const lines: string[] = [];
  const log = { ...silentLog, error: (message: string) => lines.push(message) };
  const exchange = new RecordedExchange();
  const app: FetchFunction = async () => {
    await turn();
    throw new Error("too late");
  };
  fetchApp(app, { log }).handle(exchange);
  exchange.respond({ status: 200, reason: "", headers: [] }, "another answered");
  await turn();
  await turn();
  assert.match(lines[0] ?? "", /too late/);
});

test("an app whose request body breaks off after its client was answered is no error in the log", async () => {
  const lines: string[] = [];
  const log = {
    ...silentLog,
    debug: () => lines.push("debug"),
    error: (message: string) => lines.push(message),
  };
  const body = new PushedBody(undefined, source);
  const exchange = new RecordedExchange({ method: "POST", body });
  fetchApp(async (request) => new Response(await request.text()), { log }).handle(exchange);
  exchange.respond({ status: 408, reason: "", headers: [] }, "");
  body.fail(new SallyportError("REQUEST_TIMEOUT", "the request did not arrive in time"));
  await exchange.done;
  await turn();
  assert.deepEqual(lines, ["debug"]);
});

test("a client that does not even take the first piece is given no second one", async () => {
  const pieces = ["one,", "two,", "three"];
  const stream = new ReadableStream({
    pull(controller) {
      const piece = pieces.shift();
      if (piece) controller.enqueue(Buffer.from(piece));
      else controller.close();
    },
  });
  const violations: string[] = [];
  const exchange = new RecordedExchange();
  exchange.stalled = true;
  lint(
    fetchApp(() => new Response(stream)),
    ({ message }) => violations.push(message),
  ).handle(exchange);
  await turn();
  assert.deepEqual(exchange.chunks.map(String), ["one,"]);
  exchange.release();
  const { body } = await exchange.done;
  assert.equal(body.toString(), "one,two,three");
  assert.deepEqual(violations, []);
});
