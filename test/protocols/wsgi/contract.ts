// PEP 3333, kept and broken: the pages of the awkward application, in both modes.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { PushedBody } from "../../../src/exchange/index.ts";
import type { WsgiOptions } from "../../../src/protocols/wsgi/index.ts";
import type { Recorded, RecordedRequest } from "../../../src/testing/recorded.ts";
import { type StartedWsgi, startWsgi } from "../../kit/start-wsgi.ts";

/** Page, status, body: answered in full. */
const COMPLETE: [page: string, status: number, body: string][] = [
  // W1
  ["/start-in-first-iteration", 200, "late head\n"],
  ["/empty-items-before-body", 200, "body after empty items\n"],
  // W2
  ["/start-twice-with-exc-info", 503, "replaced\n"],
  // W3
  ["/write-then-iterate", 200, "one two three four\n"],
  ["/write-with-length", 200, "one two\n"],
  ["/write-only", 200, "only written\n"],
  // W5
  ["/long-body", 200, "12345"],
  ["/body-on-204", 204, ""],
  ["/body-on-304", 304, ""],
  // W6
  ["/close-after-end", 200, "ab\n"],
  ["/close-raises", 200, "closed badly\n"],
  // W7
  ["/status-without-reason", 200, "no reason given\n"],
  ["/status-alone", 203, "a number\n"],
  ["/rules-caught", 200, "TypeError ValueError TypeError ValueError ValueError TypeError\n"],
  // W11
  ["/file-object", 200, "z".repeat(5000)],
  ["/file-with-length", 200, "z".repeat(5000)],
  ["/file-longer-than-length", 200, "z".repeat(10)],
  ["/file-without-close", 200, "z".repeat(5000)],
  ["/file-empty", 200, ""],
];

/** Pages that fail in time for an error response, and the reason in the log. */
const REFUSED: [page: string, reason: RegExp][] = [
  ["/never-start", /did not call start_response/],
  ["/never-start-empty", /did not call start_response/],
  ["/return-none", /NoneType/],
  ["/return-number", /int/],
  ["/start-twice", /second time without exc_info/],
  ["/write-text", /write\(\) was given a str/],
  ["/text-item-first", /yielded a str/],
  ["/return-text", /yielded a str/],
  ["/bad-length", /Content-Length must be a number/],
  ["/two-lengths", /Content-Length is given twice/],
  ["/raise-before-head", /before the head/],
  ["/raise-after-start-response", /after start_response/],
  ["/raise-in-first-iteration", /in the first iteration/],
  ["/file-not-a-file", /no attribute 'read'/],
  ["/recurse", /RecursionError/],
  ["/raise-at-length", /could not convert string to float: 'xxx.* \[\.\.\. \d+ characters left out \.\.\.\]/],
  ["/head-without-end", /the response's head has 5000\d+ bytes; 1048576 are allowed/],
  ...[
    "status-without-space",
    "status-not-a-number",
    "status-out-of-range",
    "status-too-high",
    "status-informational",
    "status-with-newline",
    "status-bytes",
    "status-integer",
    "value-with-crlf",
    "value-with-lf",
    "value-with-cr",
    "value-with-nul",
    "value-not-latin-1",
    "value-bytes",
    "value-number",
    "name-with-crlf",
    "name-with-colon",
    "name-with-space",
    "name-empty",
    "name-not-ascii",
    "headers-tuple",
    "headers-none",
    "header-triple",
    "header-string",
    "hop-connection",
    "hop-transfer-encoding",
    "hop-keep-alive",
    "hop-upgrade",
    "hop-trailer",
  ].map((page): [string, RegExp] => [`/${page}`, /Protocol\w*Error/]),
];

/** Pages that fail after bytes have left: the response is cut. */
const CUT: [page: string, out: string][] = [
  ["/start-again-after-output", "already out\n"],
  ["/text-item-midway", "bytes\n"],
  ["/short-body", "too short\n"],
  ["/raise-midway", "so far so good\n"],
  ["/raise-midway-with-length", "12345"],
  ["/file-shorter-than-length", "z".repeat(10)],
  ["/file-read-fails", "z".repeat(2048)],
];

/** Pages whose iterable has a close() that is recorded. */
const CLOSED = [
  "/close-after-end",
  "/close-raises",
  "/never-start",
  "/text-item-first",
  "/text-item-midway",
  "/short-body",
  "/long-body",
  "/raise-in-first-iteration",
  "/raise-midway",
  "/body-on-304",
  "/file-object",
  "/file-longer-than-length",
  "/file-read-fails",
];

type ContractOptions = Pick<WsgiOptions, "python" | "mode" | "threads">;

/** One gateway for all tests, started by the first of them. */
interface Site {
  readonly options: ContractOptions;
  served(): Promise<StartedWsgi>;
  ask(page: string, request?: RecordedRequest): Promise<Recorded>;
  end(): Promise<void>;
}

function siteOf(options: ContractOptions): Site {
  const ends: (() => unknown)[] = [];
  let server: Promise<StartedWsgi> | undefined;
  const served = (): Promise<StartedWsgi> => {
    server ??= startWsgi({ after: (end) => ends.push(end as () => unknown) }, "awkward", options);
    return server;
  };
  return {
    options,
    served,
    ask: async (page, request = {}) => (await served()).ask(page, request),
    async end() {
      await served();
      for (const end of ends.reverse()) await end();
    },
  };
}

/** Tests all pages against one gateway to them. */
export function contract(options: ContractOptions): void {
  const site = siteOf(options);
  testPages(site);
  testClosing(site);
  testResponses(site);
  testBodies(site);
  testEnviron(site);
  testSurroundings(site);
  test("the workers end", () => site.end());
}

function testPages({ served, ask }: Site): void {
  for (const [page, status, body] of COMPLETE) {
    test(`${page} is answered in full`, async () => {
      const answer = await ask(page);
      assert.deepEqual([answer.status, answer.body.toString(), answer.complete], [status, body, true]);
    });
  }

  for (const [page, reason] of REFUSED) {
    test(`${page} is refused before anything leaves, with the reason in the log`, async () => {
      const answer = await ask(page);
      assert.deepEqual([answer.status, answer.complete], [500, true]);
      assert.doesNotMatch(answer.body.toString(), reason);
      assert.deepEqual(answer.headers.includes("X-Injected"), false);
      const { fields, message } = await (await served()).logged(reason);
      assert.match(`${message}\n${fields.detail}`, reason);
      assert.equal(fields.fault, "app");
    });
  }

  for (const [page, out] of CUT) {
    test(`${page} ends in a visible cut`, async () => {
      const answer = await ask(page);
      assert.deepEqual([answer.status, answer.body.toString(), answer.complete], [200, out, false]);
      assert.equal(answer.error?.fault, "app");
    });
  }
}

function testClosing({ served, options: { threads = 1, mode } }: Site): void {
  for (const page of CLOSED) {
    test(`${page} has its iterable closed exactly once`, async () => {
      const { records, ask } = await served();
      const before = records().length;
      await ask(page);
      await ask("/hello"); // by now a worker with one thread is done with the page
      if (threads === 1 && mode !== "embedded") assert.deepEqual(records().slice(before), ["close"]);
      else {
        while (records().length === before) await new Promise(setImmediate);
        // With threads one of an earlier page may come in between.
        if (mode === "embedded") assert.deepEqual(records().slice(before), ["close"]);
      }
    });
  }

  test("a close() that fails is logged, and the client gets its whole page", async () => {
    const { ask, logged } = await served();
    assert.equal((await ask("/close-raises")).complete, true);
    assert.equal((await logged(/close\(\) itself failed/)).level, "error");
  });
}

function testResponses({ ask }: Site): void {
  test("HEAD gets the head of GET and no byte of body", async () => {
    for (const page of ["/hello", "/write-then-iterate", "/file-object", "/stream-forever"]) {
      const answer = await ask(page, { method: "HEAD" });
      assert.deepEqual([answer.status, answer.body.length, answer.complete], [200, 0, true], page);
    }
  });

  test("a file is sent from where it stands", async () => {
    const answer = await ask("/file-after-seek");
    assert.equal(answer.body.length, 8);
  });

  test("headers keep their order, their case, their repetition and their latin-1 bytes", async () => {
    assert.deepEqual((await ask("/same-header-twice")).headers.slice(2), [
      "Set-Cookie",
      "a=1",
      "Set-Cookie",
      "b=2",
    ]);
    assert.equal((await ask("/value-latin-1")).headers.at(-1), "caf\xe9");
    assert.equal((await ask("/many-headers")).headers.length, 2002);
    assert.equal((await ask("/headers-changed-later")).headers.includes("X-Late"), false);
  });
}

function testBodies({ served }: Site): void {
  test("wsgi.input gives the body in every way of reading, and an empty string at its end (W9)", async () => {
    const { json } = await served();
    const body = "first line\nsecond\n\nlast without end";
    const lines = ["first line\n", "second\n", "\n", "last without end"];
    const sha256 = createHash("sha256").update(body).digest("hex");
    for (const form of ["whole", "pushed"] as const) {
      const request = () => ({ method: "POST", body: form === "whole" ? body : pushed(body) });
      const whole = { length: body.length, sha256 };
      for (const page of [
        "/read-all",
        "/read-minus-one",
        "/read-none",
        "/read-single-bytes",
        "/read-pieces",
        "/read-line-list-hint",
      ])
        assert.deepEqual(await json(page, request()), whole, page);
      assert.deepEqual(await json("/read-zero", request()), { zero: "", ...whole });
      assert.deepEqual(await json("/read-past-end", request()), { after: ["", "", ""], ...whole });
      for (const page of ["/read-lines", "/read-line-list", "/read-iterated"])
        assert.deepEqual(await json(page, request()), lines, page);
      assert.deepEqual(await json("/read-line-minus-one", request()), ["first line\n", ""]);
      assert.deepEqual(await json("/read-mixed", request()), [
        "fir",
        "st line\n",
        "se",
        "cond\n",
        "\nlast without end",
      ]);
    }
  });

  test("a large body comes through whole: at hand, from a file, and streamed while it is answered", async () => {
    const { ask, json } = await served();
    const body = Buffer.alloc(3_000_000, "0123456789abcdef\n");
    const sha256 = createHash("sha256").update(body).digest("hex");
    assert.deepEqual(await json("/read-all", { method: "POST", body }), { length: body.length, sha256 });
    assert.deepEqual(await json("/read-pieces", { method: "POST", body: pushed(body) }), {
      length: body.length,
      sha256,
    });
    const headers = ["Host", "localhost", "Expect", "100-continue"];
    const streamed = await ask("/echo-in-pieces", { method: "POST", body: pushed(body), headers });
    assert.equal(createHash("sha256").update(streamed.body).digest("hex"), sha256);
  });
}

function testEnviron({ served, options: { threads = 1 } }: Site): void {
  test("the environ is complete, and each request's own", async () => {
    const { ask, json } = await served();
    await ask("/change-environ");
    const environ = await json("/environ?a=b", {
      headers: ["Host", "example.org", "X-Two", "1", "x-two", "2"],
      mount: "",
    });
    const expected = {
      REQUEST_METHOD: "GET",
      SCRIPT_NAME: "",
      PATH_INFO: "/environ",
      QUERY_STRING: "a=b",
      SERVER_PROTOCOL: "HTTP/1.1",
      GATEWAY_INTERFACE: "CGI/1.1",
      REMOTE_ADDR: "127.0.0.1",
      HTTP_X_TWO: "1, 2",
      "wsgi.url_scheme": "http",
      "wsgi.multithread": threads > 1,
      "wsgi.multiprocess": false,
      "wsgi.run_once": false,
      "wsgi.input_terminated": true,
    };
    for (const [name, value] of Object.entries(expected)) assert.deepEqual(environ[name], value, name);
    assert.equal(environ.HTTP_X_LEFT_BEHIND, undefined);
    assert.equal(environ.CONTENT_LENGTH, undefined);
    assert.deepEqual(environ["wsgi.version"], [1, 0]);
  });

  test("a WebSocket's handshake reaches the application as a request, without a socket for libraries to take", async () => {
    const { json } = await served();
    const headers = [
      "Connection",
      "Upgrade",
      "Upgrade",
      "websocket",
      "Sec-WebSocket-Key",
      "dGhlIHNhbXBsZSBub25jZQ==",
    ];
    const environ = await json("/environ", { headers });
    assert.equal(environ.HTTP_UPGRADE, "websocket");
    assert.deepEqual(
      Object.keys(environ).filter((name) => /socket$/.test(name)),
      [],
    );
  });
}

function testSurroundings({ served }: Site): void {
  test("what an application prints, on whatever descriptor, reaches the log and never the client (wsgi.errors)", async () => {
    const { ask, logged } = await served();
    assert.equal((await ask("/print-to-stdout")).body.toString(), "printed\n");
    await logged(/printed to stdout/);
    assert.equal((await ask("/log-error")).body.toString(), "logged\n");
    const { message } = await logged(/^second/);
    assert.doesNotMatch(message, /\x1b/);
    await logged(/^third line$/);
    await logged(/^on stderr$/);
  });

  test("a client that leaves ends the generator it was sent from, and close() is called", async () => {
    const { exchange, records, ask } = await served();
    for (const target of ["/drip-forever", "/stream-forever", "/idle-forever"]) {
      const before = records().length;
      const left = exchange({ target });
      while (left.chunks.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      left.hangUp();
      while (records().length === before) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal((await ask("/hello")).status, 200);
  });
}

/** A body that arrives in pieces, its length unknown. */
function pushed(bytes: string | Buffer): PushedBody {
  const body = new PushedBody(undefined, { pause() {}, resume() {} });
  const all = Buffer.from(bytes);
  let at = 0;
  const push = (): void => {
    if (at >= all.length) return body.end();
    body.push(all.subarray(at, at + 50_000));
    at += 50_000;
    setImmediate(push);
  };
  setImmediate(push);
  return body;
}
