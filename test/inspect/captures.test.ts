// What the inspector keeps of exchanges, and what it costs: bounded, and nothing while it is off.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Trace } from "../../src/exchange/index.ts";
import type { Recording } from "../../src/inspect/captured-exchange.ts";
import { Captures } from "../../src/inspect/captures.ts";
import { summaryOf } from "../../src/inspect/summary.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { serve } from "../kit/serve-http1.ts";

const HEAD = { status: 200, reason: "", headers: ["Content-Type", "text/plain"] };

test("nothing is captured, or wrapped, while it is off", () => {
  const captures = new Captures();
  const exchange = new RecordedExchange();
  assert.equal(captures.captured(exchange, "app"), exchange);
  captures.begin();
  assert.notEqual(captures.captured(exchange, "app"), exchange);
  captures.end();
  assert.equal(captures.captured(exchange, "app"), exchange);
  assert.equal(captures.all.length, 1, "what was captured stays");
});

test("it ends by itself", async () => {
  const captures = new Captures({ duration: 20 });
  captures.begin();
  assert.equal(captures.on, true);
  while (captures.on) await new Promise((resolve) => setTimeout(resolve, 5));
  const exchange = new RecordedExchange();
  assert.equal(captures.captured(exchange, "app"), exchange);
});

test("a head that could not be sent is not shown as what the client got", async (t) => {
  const captures = new Captures();
  captures.begin();
  const { client } = await serve(t, (exchange) => {
    captures.captured(exchange, "app").respond({ ...HEAD, headers: ["bad name", "x"] }, "body");
  });
  const text = await (await client()).send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").all();
  const [recording] = captures.all as [Recording];
  const { status, error, bytes } = summaryOf(recording);
  assert.deepEqual([text.slice(9, 12), status, error, bytes], ["500", 500, "ERR_SALLYPORT_APP_PROTOCOL", 0]);
  assert.equal(recording.head, undefined);
});

test("only the last exchanges are kept, the latest first, and one that is gone is said to be gone", () => {
  const captures = new Captures({ exchanges: 2 });
  captures.begin();
  for (const target of ["/1", "/2", "/3"]) captures.captured(new RecordedExchange({ target }), "app");
  assert.deepEqual(
    captures.all.map(({ request }) => request.target),
    ["/3", "/2"],
  );
  assert.throws(() => captures.find(1), { code: "ERR_SALLYPORT_NOT_FOUND" });
  captures.clear();
  assert.deepEqual(captures.all, []);
});

describe("of one exchange", () => {
  const captured = (bytes = 8) => {
    const captures = new Captures({ bytes });
    captures.begin();
    const inner = new RecordedExchange({ method: "POST", target: "/a", body: "0123456789" });
    const exchange = captures.captured(inner, "shop");
    return { inner, exchange, recording: captures.all[0] as never as ReturnType<Captures["find"]> };
  };

  test("head and pieces are kept with their times, and still reach the client", async () => {
    const { inner, exchange, recording } = captured();
    const done = inner.done;
    exchange.start(HEAD);
    exchange.write(Buffer.from("one,"));
    exchange.write(Buffer.from("two"));
    exchange.end();
    assert.equal((await done).body.toString(), "one,two");
    assert.deepEqual(recording.head, HEAD);
    assert.deepEqual(
      recording.response.pieces.map(({ size }) => size),
      [4, 3],
    );
    assert.equal(recording.response.bytes.toString(), "one,two");
    assert.equal(recording.over, true);
  });

  test("beyond the bound nothing is kept, the size is told, and all of it passes", async () => {
    const { inner, exchange, recording } = captured();
    const done = inner.done;
    exchange.respond(HEAD, "0123456789");
    assert.equal((await done).body.toString(), "0123456789");
    for (const kept of [recording.body, recording.response]) {
      assert.equal(kept.bytes.toString(), "01234567");
      assert.equal(kept.size, 10);
      assert.equal(kept.cut, true);
    }
  });

  test("bytes that come one by one are kept as so many bytes, not as so many pieces", () => {
    const { exchange, recording } = captured(65_536);
    exchange.start(HEAD);
    for (let i = 0; i < 65_536; i++) exchange.write(Buffer.of(i % 251));
    const { pieces, bytes } = recording.response;
    assert.equal(pieces.length <= 1_000, true, `${pieces.length} pieces`);
    assert.equal(
      pieces.reduce((sum, { size }) => sum + size, 0),
      65_536,
    );
    assert.deepEqual(bytes, Buffer.from(Array.from({ length: 65_536 }, (_, i) => i % 251)));
  });

  test("a piece that its owner uses again is not changed by that", () => {
    const { exchange, recording } = captured();
    const piece = Buffer.from("abc");
    exchange.start(HEAD);
    exchange.write(piece);
    piece.fill("x");
    assert.equal(recording.response.bytes.toString(), "abc");
  });

  test("a trace that others read goes on", () => {
    const captures = new Captures();
    captures.begin();
    const inner = new RecordedExchange();
    const before = new Trace();
    inner.trace = before;
    const exchange = captures.captured(inner, "app");
    exchange.trace?.queued();
    exchange.trace?.handedOver(7);
    exchange.respond(HEAD, "");
    for (const trace of [before, captures.all[0]?.trace]) {
      assert.equal(trace?.begun, before.begun);
      assert.equal(trace?.pid, 7);
      assert.ok(trace.queuedAt > 0 && trace.handedOverAt > 0 && trace.headAt > 0 && trace.endedAt > 0);
    }
  });

  test("a body that is read piece by piece", async () => {
    const captures = new Captures();
    captures.begin();
    const exchange = captures.captured(new RecordedExchange({ body: "12345" }), "app");
    while (await exchange.body.read());
    assert.equal(captures.all[0]?.body.bytes.toString(), "12345");
  });
});
