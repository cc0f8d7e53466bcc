// The fetch handler, asked with Requests as hosts make them.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Exchange, type ResponseHead, SallyportError, silentLog } from "../../src/exchange/index.ts";
import { type MountOptions, toFetchHandler } from "../../src/mount/index.ts";
import { bodyBytes, outcomeOf } from "../kit/handlers.ts";
import { keepLog } from "../kit/keep-log.ts";
import { answering, echoing, fill, pour, says, showing, TEXT, taking } from "./small-gateways.ts";

const OK: ResponseHead = { status: 200, reason: "", headers: TEXT };
const URL_ML = "http://example.org:8080/ml/caf%C3%A9/x?q=%20";
const quiet = (options: MountOptions = {}): MountOptions => ({ log: silentLog, ...options });
const mounted = (handle: (exchange: Exchange) => void, options: MountOptions = {}) =>
  toFetchHandler(answering(handle), quiet(options));
const show = toFetchHandler(showing(), quiet({ mount: "/ml" }));

/** A request body whose pieces a test gives one by one. */
function given() {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  return { body: readable, writer: writable.getWriter() };
}

const posting = (body: RequestInit["body"], init: RequestInit = {}) =>
  new Request(URL_ML, { method: "POST", body, duplex: "half", ...init } as RequestInit);

test("the URL says path, query, scheme, authority and mount", async () => {
  const shown = JSON.parse(await (await show(new Request(URL_ML))).text());
  assert.deepEqual([shown.mount, shown.path, shown.query], ["/ml", "/ml/caf%C3%A9/x", "q=%20"]);
  assert.deepEqual([shown.scheme, shown.authority], ["http", "example.org:8080"]);
  assert.deepEqual(shown.headers.slice(0, 2), ["host", "example.org:8080"]);
});

test("a refusal of a HEAD request has no body", async () => {
  const response = await show(new Request("http://example.org/other", { method: "HEAD" }));
  assert.deepEqual([response.status, response.body], [404, null]);
});

test("what is not below the mount is 404", async () => {
  for (const path of ["/", "/mlx", "/m/l"]) {
    const answer = await show(new Request(`http://h${path}`));
    assert.deepEqual([answer.status, /NOT_FOUND/.test(await answer.text())], [404, true], path);
  }
});

describe("the connection", () => {
  const facts = async (request: Request, context?: Parameters<typeof show>[1]) => {
    const { remote, local, version } = JSON.parse(await (await show(request, context)).text());
    return { remote, local, version };
  };
  const nowhere = { address: "", port: 0 };

  test("is unknown where the host says nothing", async () => {
    assert.deepEqual(await facts(new Request(URL_ML)), { remote: nowhere, local: nowhere, version: "1.1" });
  });

  test("is what the context says, as addresses or as a bare client's address", async () => {
    const [remote, local] = [
      { address: "192.0.2.7", port: 5 },
      { address: "192.0.2.1", port: 80 },
    ];
    assert.deepEqual(await facts(new Request(URL_ML), { remote, local }), { remote, local, version: "1.1" });
    assert.deepEqual((await facts(new Request(URL_ML), { remote: "192.0.2.7" })).remote, {
      address: "192.0.2.7",
      port: 0,
    });
  });

  test("is the host's name for the client before that of its socket (a proxy it trusts)", async () => {
    const socket = { remoteAddress: "192.0.2.9", remotePort: 9, localAddress: "192.0.2.1", localPort: 80 };
    const incoming = { socket, httpVersion: "2.0" } as never;
    const shown = await facts(new Request(URL_ML), { incoming });
    assert.deepEqual(shown.remote, { address: "192.0.2.9", port: 9 });
    assert.deepEqual([shown.local, shown.version], [{ address: "192.0.2.1", port: 80 }, "2"]);
    const proxied = Object.assign(new Request(URL_ML), { ip: "192.0.2.7" });
    assert.deepEqual((await facts(proxied, { incoming })).remote, { address: "192.0.2.7", port: 0 });
  });
});

test("the URL's host wins over Host, and replaces it: of an absolute target they may differ (RFC 9112, 3.2.2)", async () => {
  const asked = async (url: string, host: string) => {
    const shown = JSON.parse(await (await show(new Request(url, { headers: { host } }))).text());
    return [shown.authority, shown.headers];
  };
  assert.deepEqual(await asked("http://a.example/ml", "b.example"), ["a.example", ["host", "a.example"]]);
  assert.deepEqual(await asked("http://a.example/ml", "A.example:80"), [
    "a.example",
    ["host", "A.example:80"],
  ]);
});

test("an expectation that the host has met is not the application's; another is refused", async () => {
  const asked = (expect: string) => show(new Request(URL_ML, { headers: { expect } }));
  const { headers } = JSON.parse(await (await asked("100-Continue")).text());
  assert.deepEqual(headers, ["host", "example.org:8080"]);
  assert.equal((await asked("more")).status, 417);
  assert.equal((await asked(" , ")).status, 200);
});

test("two Content-Type lines, which a Request has as a list, are refused", async () => {
  const asked = (type: string) => show(new Request(URL_ML, { headers: { "content-type": type } }));
  assert.equal((await asked("a/b, c/d")).status, 400);
  const fit = 'multipart/x; boundary="a, \\", b"; charset=utf-8';
  assert.equal(JSON.parse(await (await asked(fit)).text()).headers[3], fit);
});

describe("the request body", () => {
  test("is read as it comes, to its end", async () => {
    const { body, writer } = given();
    const answer = toFetchHandler(echoing())(posting(body));
    for (const piece of ["one ", "", "two"]) await writer.write(Buffer.from(piece));
    await writer.close();
    assert.equal(await (await answer).text(), "one two");
  });

  test("is not read before the gateway reads, nor faster", async () => {
    let pulled = 0;
    const piece = new Uint8Array(65_536);
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      if (pulled++ < 100) controller.enqueue(piece);
      else controller.close();
    };
    const { gateway, taken } = taking();
    void toFetchHandler(gateway)(posting(new ReadableStream({ pull }, { highWaterMark: 0 })));
    const exchange = await taken();
    assert.equal(pulled, 0);
    await exchange.body.read();
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(pulled < 10, String(pulled));
    assert.equal((await bodyBytes(exchange)).length, 99 * piece.length);
  });

  test("that breaks off rejects", async () => {
    const { body, writer } = given();
    const { gateway, taken } = taking();
    void toFetchHandler(gateway)(posting(body));
    const read = (await taken()).body.read();
    await writer.abort(new Error("gone"));
    await assert.rejects(read, { code: "ERR_SALLYPORT_CLIENT_LEFT" });
  });

  for (const [bytes, code] of [
    ["123", "BODY_INCOMPLETE"],
    ["1234567", "BAD_REQUEST"],
  ] as const) {
    test(`that is not as long as its Content-Length rejects: ${bytes.length} bytes for 5`, async () => {
      const answer = await toFetchHandler(
        echoing(),
        quiet(),
      )(posting(new Blob([bytes]).stream(), { headers: { "Content-Length": "5" } }));
      assert.equal(answer.status, 400);
      assert.match(await answer.text(), new RegExp(code));
    });
  }

  test("larger than the limit is 413, announced or not (H22)", async () => {
    const handler = toFetchHandler(echoing(), quiet({ maxBody: 5 }));
    assert.equal((await handler(posting(new Blob(["123456"]).stream()))).status, 413);
    assert.equal((await handler(posting("123456", { headers: { "Content-Length": "6" } }))).status, 413);
    assert.equal((await handler(posting("12345", { headers: { "Content-Length": "5" } }))).status, 200);
  });

  test("that the host has used is an error that says what to do", async () => {
    const { log, lines } = keepLog();
    const request = posting("x");
    await request.text();
    assert.equal((await toFetchHandler(echoing(), { log })(request)).status, 500);
    assert.match(lines[0]?.message ?? "", /hand on a clone of the Request/);
  });

  test("that nobody touched stays the host's", async () => {
    const request = posting("x");
    await (await mounted((exchange) => says(exchange, "unread"))(request)).text();
    assert.equal(await request.text(), "x");
  });

  test("of which the rest is not wanted is read to its end, so that the host can go on", async () => {
    const { body, writer } = given();
    const { gateway, taken } = taking();
    const answer = toFetchHandler(gateway)(posting(body));
    const exchange = await taken();
    const first = exchange.body.read();
    await writer.write(Buffer.from("one"));
    await first;
    says(exchange, "enough");
    assert.equal(await (await answer).text(), "enough");
    await writer.write(Buffer.from("two"));
    await writer.close();
  });
});

describe("the response", () => {
  test("has status, reason, fields and cookies of the application, and the length", async () => {
    const headers = ["Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-A", "caf\u00e9", "Connection", "close"];
    const answer = await mounted((exchange) =>
      exchange.respond({ status: 207, reason: "As It Is", headers }, "h\u00e9"),
    )(new Request(URL_ML));
    assert.deepEqual([answer.status, answer.statusText], [207, "As It Is"]);
    assert.deepEqual(answer.headers.getSetCookie(), ["a=1", "b=2"]);
    assert.deepEqual([answer.headers.get("x-a"), answer.headers.get("content-length")], ["caf\u00e9", "3"]);
    assert.deepEqual([answer.headers.has("connection"), answer.headers.has("content-type")], [false, false]);
    assert.equal(await answer.text(), "h\u00e9");
  });

  for (const [method, status] of [
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 205],
    ["GET", 304],
  ] as const) {
    test(`to ${method}, ${status}, has no body (H20)`, async () => {
      const whole = mounted((exchange) => exchange.respond({ ...OK, status }, "body"));
      const pieces = mounted((exchange) => {
        exchange.start({ ...OK, status });
        exchange.write(Buffer.from("body"));
        exchange.end();
      });
      for (const handler of [whole, pieces]) {
        const answer = await handler(new Request(URL_ML, { method }));
        assert.deepEqual([answer.status, answer.body], [status, null]);
        if (status === 205) assert.equal(answer.headers.get("content-length"), "0");
      }
    });
  }

  test("with a status that no Response can have is an error of the application's", async () => {
    const answer = await mounted((exchange) => exchange.respond({ ...OK, status: 700 }, ""))(
      new Request(URL_ML),
    );
    assert.deepEqual([answer.status, /APP_PROTOCOL/.test(await answer.text())], [500, true]);
  });

  test("is there with its head, before its first piece exists", async () => {
    const { gateway, taken } = taking();
    const answering = toFetchHandler(gateway)(new Request(URL_ML));
    const exchange = await taken();
    exchange.start(OK);
    const answer = await answering;
    exchange.write(Buffer.from("late"));
    exchange.end();
    assert.equal(await answer.text(), "late");
  });

  test("holds the application back while nobody reads it", async () => {
    const { gateway, taken } = taking();
    const answering = toFetchHandler(gateway)(new Request(URL_ML));
    const exchange = await taken();
    exchange.start(OK);
    const bytes = fill(exchange);
    const drained = new Promise<void>((resolve) => exchange.whenDrained(resolve));
    const read = (await answering).arrayBuffer();
    await drained;
    exchange.end();
    assert.equal((await read).byteLength, bytes);
  });

  test("that nobody reads for too long is cut", async () => {
    const { gateway, taken } = taking();
    const answering = toFetchHandler(gateway, quiet({ sendTimeout: 50 }))(new Request(URL_ML));
    const exchange = await taken();
    exchange.start(OK);
    pour(exchange);
    const keepsAlive = setInterval(() => {}, 1_000);
    assert.equal((await outcomeOf(exchange)).error?.code, "ERR_SALLYPORT_CLIENT_STALLED");
    clearInterval(keepsAlive);
    await assert.rejects((await answering).text(), { code: "ERR_SALLYPORT_CLIENT_STALLED" });
  });

  test("that breaks off fails its stream, with nothing of the application in the error", async () => {
    const { gateway, taken } = taking();
    const answering = toFetchHandler(gateway, quiet())(new Request(URL_ML));
    const exchange = await taken();
    exchange.start(OK);
    const reader = ((await answering).body as ReadableStream<Uint8Array>).getReader();
    exchange.write(Buffer.from("so far"));
    assert.equal(Buffer.from((await reader.read()).value ?? []).toString(), "so far");
    exchange.fail(new SallyportError("APP_RAISED", "secret", { detail: "secret" }));
    await assert.rejects(reader.read(), (error: Error & { code?: string }) => {
      assert.equal(error.code, "ERR_SALLYPORT_APP_RAISED");
      assert.doesNotMatch(`${error.message} ${error.stack}`, /secret|\n/);
      return true;
    });
  });

  test("that breaks off before its head is a 500", async () => {
    const answer = await mounted((exchange) => exchange.fail(new SallyportError("APP_ABORTED", "gave up")))(
      new Request(URL_ML),
    );
    assert.deepEqual([answer.status, /APP_ABORTED/.test(await answer.text())], [500, true]);
  });
});

describe("a client that leaves", () => {
  test("ends the exchange when the host aborts the Request, before the head or after it", async () => {
    for (const started of [false, true]) {
      const leaving = new AbortController();
      const { gateway, taken } = taking();
      const answering = toFetchHandler(gateway)(new Request(URL_ML, { signal: leaving.signal }));
      const exchange = await taken();
      if (started) exchange.start(OK);
      leaving.abort();
      assert.equal((await outcomeOf(exchange)).error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
      const answer = await answering;
      if (started) await assert.rejects(answer.text(), { name: "AbortError" });
      else assert.equal(answer.status, 499);
    }
  });

  test("ends the exchange when the host cancels the response", async () => {
    const { gateway, taken } = taking();
    const answering = toFetchHandler(gateway)(new Request(URL_ML));
    const exchange = await taken();
    exchange.start(OK);
    await (await answering).body?.cancel();
    assert.equal((await outcomeOf(exchange)).error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
  });

  test("before the gateway was asked costs the application nothing", async () => {
    const { gateway, taken } = taking();
    const handler = toFetchHandler(gateway);
    const gone = await handler(new Request(`${URL_ML}&gone`, { signal: AbortSignal.abort() }));
    assert.equal(gone.status, 499);
    void handler(new Request(URL_ML));
    assert.doesNotMatch((await taken()).request.query, /gone/);
  });
});
