// Limits that HTTP/2 has no number for.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Handler } from "../../../src/exchange/index.ts";
import type { Http2Limits } from "../../../src/protocols/http2/index.ts";
import { serve } from "./serve-http2.ts";

const hello: Handler = (exchange) => exchange.respond({ status: 200, reason: "", headers: [] }, "hello");

const KEYS: (keyof Http2Limits)[] = [
  "window",
  "streams",
  "invalidFrames",
  "headerBytes",
  "headerCount",
  "target",
];

for (const value of [2 ** 29, 2 ** 31, 2 ** 40, Number.POSITIVE_INFINITY])
  for (const key of KEYS)
    test(`${key}: ${value} is as much as the protocol allows, and clients are served`, async (t) => {
      const { session } = await serve(t, hello, { [key]: value });
      const stream = session().request({ ":path": "/" });
      let text = "";
      for await (const chunk of stream) text += chunk;
      assert.equal(text, "hello");
    });
