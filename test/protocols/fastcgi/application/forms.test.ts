// The application's half of FastCGI: the forms that the records of one request may take (specification, 3.3 and 3.4).
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  beginRequest,
  NO_VERSION,
  streamEnd,
  streamPart,
  TYPE,
} from "../../../../src/protocols/fastcgi/codec.ts";
import { encodePairs } from "../../../../src/protocols/fastcgi/pairs.ts";
import { bodyOf, echo, noStdin, PARAMS, params, request, serve } from "../serve-fastcgi.ts";

/** A record with as much padding as is asked for, which the specification wants to be ignored, and so is the last byte. */
function padded(type: number, id: number, content: Uint8Array, padding: number): Buffer {
  const head = Buffer.from([
    1,
    type,
    id >> 8,
    id & 255,
    content.length >> 8,
    content.length & 255,
    padding,
    77,
  ]);
  return Buffer.concat([head, content, Buffer.alloc(padding, 0xff)]);
}

const NOTHING = Buffer.alloc(0);

for (const id of [1, 255, 256, 32_768, 65_535])
  test(`a request may have the id ${id}`, async (t) => {
    const client = await (await serve(t, echo)).client();
    client.send(request({ id, body: "hello" }));
    assert.equal(bodyOf(await client.ended(id)), "POST /app /app/x hello");
  });

test("F5: pairs may be cut by records at every byte", async (t) => {
  const client = await (await serve(t, echo)).client();
  const pairs = encodePairs(Object.entries({ ...PARAMS, HTTP_X_LONG: "x".repeat(300) }).flat());
  client.send(beginRequest(1, "responder", true));
  for (const byte of pairs) client.send(streamPart(TYPE.PARAMS, 1, Buffer.of(byte)));
  client.send(streamEnd(TYPE.PARAMS, 1), noStdin());
  assert.equal(bodyOf(await client.ended()), "GET /app /app/x ");
});

test("F2, F17: records of 65,535 bytes, with padding of 0 to 255 and reserved bytes set, are read", async (t) => {
  const client = await (await serve(t, echo)).client();
  const piece = Buffer.alloc(65_535, "a");
  const length = String(2 * piece.length);
  const pairs = encodePairs(
    Object.entries({ ...PARAMS, REQUEST_METHOD: "POST", CONTENT_LENGTH: length }).flat(),
  );
  client.send(
    padded(TYPE.BEGIN_REQUEST, 1, Buffer.from([0, 1, 255, 9, 9, 9, 9, 9]), 1),
    padded(TYPE.PARAMS, 1, pairs, 255),
    padded(TYPE.PARAMS, 1, NOTHING, 254),
    padded(TYPE.STDIN, 1, piece, 255),
    padded(TYPE.STDIN, 1, piece, 0),
    padded(TYPE.STDIN, 1, NOTHING, 255),
  );
  const body = bodyOf(await client.ended());
  assert.equal(body.length, "POST /app /app/x ".length + 2 * piece.length);
});

test("F17: records of type 0, and those that only applications send, mean nothing within a request", async (t) => {
  const client = await (await serve(t, echo)).client();
  client.send(beginRequest(1, "responder", true));
  for (const type of [0, TYPE.END_REQUEST, TYPE.STDOUT, TYPE.STDERR, TYPE.DATA, TYPE.GET_VALUES])
    client.send(padded(type, 1, Buffer.from("meaningless"), 5));
  client.send(params(), noStdin());
  assert.equal(bodyOf(await client.ended()), "GET /app /app/x ");
  assert.deepEqual(client.management, []);
});

test("STDIN before the parameters are complete is out of place, and no part of the body", async (t) => {
  const client = await (await serve(t, echo)).client();
  client.send(beginRequest(1, "responder", true), streamPart(TYPE.STDIN, 1, Buffer.from("early")));
  client.send(params({ REQUEST_METHOD: "POST", CONTENT_LENGTH: "4" }));
  client.send(streamPart(TYPE.STDIN, 1, Buffer.from("late")), noStdin());
  assert.equal(bodyOf(await client.ended()), "POST /app /app/x late");
});

test("F17: a connection that begins with a version of 0 is closed without a word", async (t) => {
  const { client } = await serve(t, echo);
  const server = await client();
  server.send(NO_VERSION);
  await server.closed();
  assert.deepEqual([server.answer().stdout, server.management], ["", []]);
});
