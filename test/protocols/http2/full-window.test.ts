// A response that ends just where the client's window does: its end waits for room as its bytes do, and is no reset.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Exchange } from "../../../src/exchange/index.ts";
import type { Http2Limits } from "../../../src/protocols/http2/index.ts";
import { head, outcomeOf, queue } from "../../kit/handlers.ts";
import {
  ACK,
  data,
  END_STREAM,
  type FrameClient,
  frame,
  headers,
  post,
  pseudo,
  uint32,
} from "../../kit/http2-frames.ts";
import { serve } from "./serve-http2.ts";

const SIZE = 10;
const WINDOW = frame("SETTINGS", 0, 0, Buffer.concat([Buffer.from([0, 4]), uint32(SIZE)]));
const ROOM = frame("WINDOW_UPDATE", 0, 1, uint32(SIZE));

const requests: Record<string, readonly Buffer[]> = {
  "without a body": [headers(1)],
  "of a client that takes trailers": [headers(1, [...pseudo("GET", "/"), "te", "trailers"])],
  "with its whole body": [post(1), data(1, "x", END_STREAM)],
  "that goes on": [post(1, "content-length", "1000000"), data(1, "x")],
};

interface Full {
  readonly next: () => Promise<Exchange>;
  readonly peer: FrameClient;
  readonly exchange: Exchange;
}

/** A client that has got as much of a response as its window takes. */
async function fill(t: TestContext, request: readonly Buffer[], limits: Partial<Http2Limits>): Promise<Full> {
  const { handler, next } = queue();
  const { client } = await serve(t, handler, limits);
  const peer = (await client()).send(WINDOW);
  await peer.next("SETTINGS");
  peer.send(frame("SETTINGS", ACK, 0), ...request);
  const exchange = await next();
  exchange.body.discard();
  exchange.start(head());
  exchange.write(Buffer.alloc(SIZE, "x"));
  await peer.until(() => peer.body(1).length === SIZE);
  return { peer, exchange, next };
}

/** Until the server has had turns enough to answer what came before. */
async function roundTrips(peer: FrameClient, count: number): Promise<void> {
  for (let i = 1; i <= count; i++) {
    peer.send(frame("PING", 0, 0, `turn ${String(i).padStart(3, "0")}`));
    await peer.until(
      () => peer.frames.filter(({ type }) => type === "PING").length === i || peer.state !== "",
    );
  }
}

for (const [name, request] of Object.entries(requests)) {
  test(`the end of a response to a request ${name} waits for the client's window`, async (t) => {
    const { peer, exchange } = await fill(t, request, {});
    const outcome = outcomeOf(exchange);
    exchange.end();
    assert.equal((await outcome).complete, true);
    await roundTrips(peer, 5);
    assert.doesNotMatch(peer.story(1), /RST_STREAM|\./);
    peer.send(ROOM);
    await peer.until(() => /RST_STREAM|\./.test(peer.story(1)) || peer.state !== "");
    assert.match(peer.story(1), /^HEADERS (DATA )+DATA\./);
  });

  test(`a client that never makes room for the end of a response to a request ${name} is cut`, async (t) => {
    const { peer, exchange } = await fill(t, request, { sendTimeout: 100 });
    exchange.end();
    assert.equal(await peer.resetCode(1), 2);
    assert.doesNotMatch(peer.story(1), /\./);
  });
}

test("a client that still sends is told to stop only after the end of its response", async (t) => {
  const { peer, exchange, next } = await fill(t, requests["that goes on"] as Buffer[], { drainTimeout: 50 });
  exchange.end();
  peer.send(post(3, "content-length", "1000000"));
  (await next()).respond(head(), "x");
  assert.equal(await peer.resetCode(3), 0);
  assert.equal(peer.story(1), "HEADERS DATA");
  peer.send(ROOM);
  assert.equal(await peer.resetCode(1), 0);
  assert.equal(peer.story(1), "HEADERS DATA DATA. RST_STREAM(0)");
});
