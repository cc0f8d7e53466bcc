import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError, silentLog } from "../../src/exchange/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";

const head = (status: number, ...headers: string[]) => ({ status, reason: "", headers });

test("a one-shot response arrives whole", async () => {
  const exchange = new RecordedExchange();
  exchange.respond(head(200), "hello");
  const { status, body, complete, bytes } = await exchange.done;
  assert.deepEqual([status, body.toString(), complete, bytes], [200, "hello", true, 5]);
});

test("a response shorter than its Content-Length is cut, not completed", async () => {
  const exchange = new RecordedExchange();
  exchange.start(head(200, "Content-Length", "10"));
  exchange.write(Buffer.from("short"));
  exchange.end();
  const { complete, error } = await exchange.done;
  assert.equal(complete, false);
  assert.equal(error?.code, "ERR_SALLYPORT_APP_SHORT_BODY");
});

test("a response longer than its Content-Length is cut to measure", async () => {
  const exchange = new RecordedExchange();
  exchange.respond(head(200, "Content-Length", "3"), "hello");
  const { complete, body } = await exchange.done;
  assert.deepEqual([complete, body.toString()], [true, "hel"]);
});

test("an application that writes on behind its Content-Length is told of once, however long it goes on", async () => {
  const said: string[] = [];
  const log = { ...silentLog, warn: (message: string) => said.push(message) };
  const exchange = new RecordedExchange({ log });
  exchange.start(head(200, "Content-Length", "3"));
  for (const piece of ["he", "llo", "more", "more"]) exchange.write(Buffer.from(piece));
  exchange.end();
  const { complete, body } = await exchange.done;
  assert.deepEqual([complete, body.toString(), said.length], [true, "hel", 1]);
});

for (const [method, status] of [
  ["HEAD", 200],
  ["GET", 204],
  ["GET", 304],
] as const) {
  test(`no body bytes leave on ${method} ${status}`, async () => {
    const whole = new RecordedExchange({ method });
    whole.respond(head(status, "Content-Length", "5"), "hello");
    assert.equal((await whole.done).body.length, 0);
    const pieces = new RecordedExchange({ method });
    pieces.start(head(status));
    pieces.write(Buffer.from("hello"));
    pieces.end();
    const { body, complete } = await pieces.done;
    assert.deepEqual([body.length, complete], [0, true]);
  });
}

test("205 leaves without body bytes, and says the length 0, whatever the application says", async () => {
  for (const fields of [["Content-Length", "5"], []]) {
    const whole = new RecordedExchange();
    whole.respond(head(205, "X-A", "1", ...fields), "hello");
    const pieces = new RecordedExchange();
    pieces.start(head(205, "X-A", "1", ...fields));
    assert.equal(pieces.write(Buffer.from("hello")), true);
    pieces.end();
    for (const done of [whole.done, pieces.done]) {
      const { headers, body, complete, bytes } = await done;
      assert.deepEqual(headers, ["X-A", "1", "Content-Length", "0"]);
      assert.deepEqual([body.length, bytes, complete], [0, 0, true]);
    }
  }
});

test("fail answers with the catalogue's sentence while there is no head, and never with the details", async () => {
  const exchange = new RecordedExchange();
  exchange.fail(new SallyportError("APP_RAISED", "secret", { detail: "Traceback secret" }));
  const { status, body, complete } = await exchange.done;
  assert.equal(status, 500);
  assert.equal(complete, true);
  assert.equal(body.toString(), "500 The application failed.\nERR_SALLYPORT_APP_RAISED\n");
});

test("fail after the head cuts", async () => {
  const exchange = new RecordedExchange();
  exchange.start(head(200));
  exchange.fail(new SallyportError("APP_RAISED", "midway"));
  const { status, complete, error } = await exchange.done;
  assert.deepEqual([status, complete, error?.fault], [200, false, "app"]);
});

test("calls after the end do nothing; calls out of order throw", () => {
  const exchange = new RecordedExchange();
  assert.throws(() => exchange.write(Buffer.from("x")), TypeError);
  exchange.start(head(200));
  assert.throws(() => exchange.start(head(200)), TypeError);
  exchange.end();
  assert.equal(exchange.write(Buffer.from("x")), true);
  exchange.end();
  exchange.fail(new SallyportError("APP_RAISED", "late"));
});
