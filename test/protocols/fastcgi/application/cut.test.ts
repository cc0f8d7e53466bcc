// A response that is cut: the bytes that a web server sees at the end of its connection.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { head, queue } from "../../../kit/handlers.ts";
import { request, serve } from "../serve-fastcgi.ts";

const HEAD = 8;

/** What follows the last record of version 1. */
function afterRecords(bytes: Buffer): Buffer {
  let at = 0;
  while (bytes[at] === 1) at += HEAD + bytes.readUInt16BE(at + 4) + (bytes[at + 6] as number);
  return bytes.subarray(at);
}

test("a cut ends with a whole record head that is invalid: HAProxy waits for the rest of one that is not whole", async (t) => {
  const { handler, next } = queue();
  const { port } = await serve(t, handler);
  const server = connect({ port, host: "127.0.0.1" });
  t.after(() => server.destroy());
  server.write(request());
  const exchange = await next();
  exchange.start(head(200, "Content-Length", "10"));
  exchange.write(Buffer.from("half"));
  exchange.end();
  const bytes = Buffer.concat(await server.toArray());
  assert.ok(bytes.includes("half"));
  assert.deepEqual(afterRecords(bytes), Buffer.alloc(HEAD));
});
