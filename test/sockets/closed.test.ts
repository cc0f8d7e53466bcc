import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { forgetWhenClosed } from "../../src/sockets/closed.ts";

test("a closed stream has told its listeners, and refers to none of them", async () => {
  const stream = new PassThrough();
  let told = 0;
  forgetWhenClosed(stream);
  stream.on("data", () => {}).on("close", () => told++);
  const closed = once(stream, "close");
  stream.destroy();
  await closed;
  assert.equal(told, 1);
  assert.deepEqual(stream.eventNames(), ["error"]);
  stream.emit("error", new Error("a write that was given up"));
});
