// Where an event stream may end (HTML, 9.2.6): after a blank line, however its ends are written and cut into pieces.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "../../src/exchange/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";

const EVENTS = ["Content-Type", "Text/Event-Stream; charset=utf-8"];

/** A client that tells an end from a cut. */
class Client extends RecordedExchange {
  ending = "";

  protected override sendEnd(): void {
    this.ending += "end";
  }

  protected override sendCut(): void {
    this.ending += "cut";
  }
}

/** A stream of which this has been sent when the server leaves. */
function left(pieces: readonly string[], headers = EVENTS, method = "GET"): Client {
  const client = new Client({ method });
  client.start({ status: 200, reason: "", headers });
  for (const piece of pieces) client.write(Buffer.from(piece));
  client.leave();
  return client;
}

for (const pieces of [
  [],
  ["data: a\n\n"],
  ["data: a\r\n\r\n"],
  ["data: a\r\r"],
  ["data: a\n", "\n"],
  ["data: a\r", "\n", "\r", "\n"],
  ["data: a\n\ndata: b", "\n\n"],
  [": comment\n\n"],
])
  test(`an event stream ends at once after ${JSON.stringify(pieces)}, and its application is told why`, async () => {
    const client = left(pieces);
    assert.equal(client.ending, "end");
    const { complete, error } = await client.done;
    assert.deepEqual([complete, error?.code], [false, "ERR_SALLYPORT_STOPPING"]);
  });

for (const pieces of [["data: a"], ["data: a\n"], ["data: a\r\n"], ["\n\ndata: a\n"]])
  test(`after ${JSON.stringify(pieces)} the event goes on, and the stream ends with it`, () => {
    const client = left(pieces);
    assert.equal(client.ending, "");
    client.write(Buffer.from("more\n"));
    assert.equal(client.ending, "");
    client.write(Buffer.from("\r\n"));
    assert.equal(client.ending, "end");
    client.fail(new SallyportError("APP_RAISED", "too late"));
    assert.equal(client.ending, "end");
  });

for (const [name, ...more] of [
  ["that is compressed", "Content-Encoding", "gzip"],
  ["of an announced length", "Content-Length", "1000"],
] as const)
  test(`an event stream ${name} is cut visibly when the server leaves`, () => {
    assert.equal(left(["data: a\n\n"], [...EVENTS, ...more]).ending, "cut");
  });

test("any other response goes on when the server leaves", () => {
  const client = left(["line\n\n"], ["Content-Type", "text/plain"]);
  client.write(Buffer.from("\n"));
  assert.equal(client.ending, "");
  client.end();
  assert.equal(client.ending, "end");
});
