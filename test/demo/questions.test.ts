// What pages may ask, and what is refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DOORS } from "../../src/demo/door.ts";
import { behindRequest, raceRequest } from "../../src/demo/questions.ts";

test("a race without doors is one at all doors, and a door is asked once", () => {
  assert.deepEqual(raceRequest({ kind: "hello" }), { kind: "hello", doors: DOORS });
  assert.deepEqual(raceRequest({ kind: "wait", doors: ["asgi", "cgi", "asgi"] }), {
    kind: "wait",
    doors: ["asgi", "cgi"],
  });
});

for (const bad of [
  null,
  "hello",
  [],
  {},
  { kind: "walk" },
  { kind: "hello", doors: [] },
  { kind: "hello", doors: "cgi" },
  { kind: "hello", doors: ["side"] },
])
  test(`${JSON.stringify(bad)} is no race`, () =>
    assert.throws(() => raceRequest(bad), { code: "ERR_SALLYPORT_BAD_REQUEST", message: /must be/ }));

test("a protocol behind nginx is one of four", () => {
  assert.deepEqual(behindRequest({ protocol: "uwsgi" }), { protocol: "uwsgi" });
  for (const bad of [undefined, {}, { protocol: "wsgi" }])
    assert.throws(() => behindRequest(bad), { message: /fastcgi, scgi, uwsgi, http/ });
});
