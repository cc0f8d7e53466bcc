// The application's half of FastCGI among requests that share a connection: records out of place, and bytes that are no record.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "../../../../src/exchange/index.ts";
import {
  beginRequest,
  endRequest,
  streamEnd,
  streamPart,
  TYPE,
} from "../../../../src/protocols/fastcgi/codec.ts";
import { encodePairs } from "../../../../src/protocols/fastcgi/pairs.ts";
import { bodyText, queue } from "../../../kit/handlers.ts";
import { bodyOf, echo, noStdin, PARAMS, params, request, serve } from "../serve-fastcgi.ts";

/** What never comes must not keep the run waiting. */
const PATIENCE = { timeout: 60_000 };

/** Records that mean nothing to request `id`, whatever it waits for: two from applications, a second stream, no type. */
const garbage = (id: number): Buffer =>
  Buffer.concat([
    streamPart(TYPE.STDOUT, id, Buffer.from("Status: 500 No\r\n\r\n")),
    endRequest(id, 1, 0),
    streamPart(TYPE.DATA, id, Buffer.from("no filter")),
    Buffer.from([1, 200, 0, id, 0, 3, 5, 0, 1, 2, 3, 255, 255, 255, 255, 255]),
  ]);

test("two requests whose records alternate, with records out of place between them, are both answered", async (t) => {
  const client = await (await serve(t, echo)).client();
  const described = (id: number, path: string): Buffer[] => {
    const about = { ...PARAMS, REQUEST_METHOD: "POST", REQUEST_URI: path, SCRIPT_NAME: "", PATH_INFO: path };
    const pairs = encodePairs(Object.entries({ ...about, CONTENT_LENGTH: "4" }).flat());
    const early = streamPart(TYPE.STDIN, id, Buffer.from("too early"));
    const parts = [pairs.subarray(0, 50), pairs.subarray(50)].map((part) =>
      streamPart(TYPE.PARAMS, id, part),
    );
    const late = streamPart(TYPE.PARAMS, id, Buffer.from("too late"));
    const body = ["bo", "dy"].map((part) => streamPart(TYPE.STDIN, id, Buffer.from(part)));
    const [begin, ended] = [beginRequest(id, "responder", true), streamEnd(TYPE.PARAMS, id)];
    return [begin, early, ...parts, ended, late, ...body, noStdin(id)];
  };
  const [one, two] = [described(1, "/one"), described(2, "/two")];
  for (const [i, record] of one.entries())
    client.send(record, garbage(2), two[i] as Buffer, garbage(1), garbage(3));
  assert.equal(bodyOf(await client.ended(1)), "POST  /one body");
  assert.equal(bodyOf(await client.ended(2)), "POST  /two body");
  assert.equal(client.state, "");
});

test("what is no record ends all requests of its connection, and of no other", PATIENCE, async (t) => {
  const { handler, next } = queue();
  const { client, lines } = await serve(t, handler);
  const [broken, fine] = [await client(), await client()];
  const upload = { REQUEST_METHOD: "POST", CONTENT_LENGTH: "10" };
  broken.send(request({ id: 1 }), beginRequest(2, "responder", true), params(upload, 2));
  const [one, two] = [await next(), await next()];
  const outcomes = [one, two].map(
    (exchange) => new Promise<Outcome>((resolve) => exchange.whenClosed(resolve)),
  );
  const reading = assert.rejects(bodyText(two), { code: "ERR_SALLYPORT_BAD_REQUEST" });
  broken.send(beginRequest(3, "responder", true), streamPart(TYPE.STDIN, 2, Buffer.from("half")));
  broken.send(Buffer.from("GET / HTTP/1.1\r\n\r\n"), request({ id: 4 }));
  await broken.closed();
  await reading;
  for (const { complete, error } of await Promise.all(outcomes))
    assert.deepEqual([complete, error?.code], [false, "ERR_SALLYPORT_BAD_REQUEST"]);
  assert.equal(lines[0]?.fields.code, "ERR_SALLYPORT_BAD_REQUEST");
  fine.send(request());
  (await next()).respond({ status: 200, reason: "", headers: [] }, "fine");
  assert.equal(bodyOf(await fine.ended()), "fine");
});

test("a begin without an end among other requests is answered with 408, and they go on", async (t) => {
  const { handler, next } = queue();
  const client = await (await serve(t, handler, { limits: { receiveTimeout: 50 } })).client();
  client.send(request({ id: 1 }), beginRequest(2, "responder", true));
  const exchange = await next();
  assert.match((await client.ended(2)).stdout, /^Status: 408 /);
  exchange.respond({ status: 200, reason: "", headers: [] }, "one");
  assert.equal(bodyOf(await client.ended(1)), "one");
});

test(
  "a request that stops arriving is 408 in time, however busy others on its connection are",
  PATIENCE,
  async (t) => {
    const client = await (await serve(t, echo, { limits: { receiveTimeout: 50 } })).client();
    client.send(beginRequest(1, "responder", true));
    while (!client.answer(1).end)
      await client
        .again(2)
        .send(request({ id: 2 }))
        .ended(2);
    assert.match(client.answer(1).stdout, /^Status: 408 /);
  },
);

test("parameters over the limit are refused before their end, and other requests go on", async (t) => {
  const asked = queue();
  const client = await (await serve(t, asked.handler, { limits: { params: 2000 } })).client();
  client.send(request({ id: 1 }), beginRequest(2, "responder", true));
  const exchange = await asked.next();
  for (let i = 0; i < 3; i++) client.send(streamPart(TYPE.PARAMS, 2, Buffer.alloc(900)));
  assert.match((await client.ended(2)).stdout, /^Status: 431 /);
  client.send(streamPart(TYPE.PARAMS, 2, Buffer.alloc(900)), streamEnd(TYPE.PARAMS, 2), noStdin(2));
  exchange.respond({ status: 200, reason: "", headers: [] }, "one");
  assert.equal(bodyOf(await client.ended(1)), "one");
  assert.equal(asked.count, 1);
});
