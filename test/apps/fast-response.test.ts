// Responses that keep their body as it is: held against Node's own, and how they leave.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import {
  FastResponse,
  fetchApp,
  QuickResponse,
  useFastResponses,
  useQuickResponses,
} from "../../src/apps/index.ts";
import { type Recorded, RecordedExchange } from "../../src/testing/recorded.ts";

const NodeResponse = Response;

/** Each answers a request with `response`, and then another with the same one. */
async function answered(response: Response, method = "GET"): Promise<[Recorded, Recorded, boolean]> {
  const exchange = new RecordedExchange({ method });
  const started = test.mock.method(exchange, "start");
  const app = fetchApp(() => response);
  app.handle(exchange);
  const first = await exchange.done;
  const again = new RecordedExchange({ method });
  app.handle(again);
  return [first, await again.done, started.mock.callCount() === 0];
}

/** Stands for a new stream in each test. */
const STREAM = new ReadableStream<Uint8Array>();
type Arguments = ConstructorParameters<typeof Response>;

const cases: readonly [string, Arguments][] = [
  ["a text", ["t\u00e9xt"]],
  ["an empty text", [""]],
  ["a text with half a character", ["a\ud800b"]],
  ["bytes", [Buffer.from([0, 255, 10])]],
  ["a part of other bytes", [new Uint8Array([1, 2, 3, 4]).subarray(1, 3)]],
  ["no body", [null, { status: 204 }]],
  ["nothing", []],
  [
    "its own status, reason, headers and cookies",
    [
      "x",
      {
        status: 404,
        statusText: "Gone Fishing",
        headers: [
          ["Set-Cookie", "a=1"],
          ["set-cookie", "b=2"],
          ["Content-Type", "text/html"],
        ],
      },
    ],
  ],
  [
    "a plain object of headers",
    ["x", { status: 599, headers: { "X-B": "2", "x-a": "1", "Content-Type": "text/html" } }],
  ],
  ["Headers", ["x", { headers: new Headers({ "X-B": "2", "Set-Cookie": "a=1", "X-A": "1" }) }]],
  ["values with white space, and with none", ["x", { headers: { a: " 1\t", b: "", c: "\xe9" } }]],
  ["one header in two writings", ["x", { headers: { "X-A": "1", "x-a": "2" } }]],
  ["no body, but headers", [null, { status: 302, headers: { Location: "/a" } }]],
  ["nothing but a status", [undefined, { status: 304 }]],
  ["bytes, with a type", [Buffer.from("{}"), { headers: { "content-type": "application/json" } }]],
  ["a form", [new URLSearchParams({ a: "1 2" })]],
  ["a blob", [new Blob(["blob"], { type: "text/x" })]],
  ["a stream", [STREAM, { headers: { "X-A": "1" } }]],
];

const twins = (body: Arguments[0]): readonly [Arguments[0], Arguments[0]] =>
  body === STREAM ? new Blob(["stream"]).stream().tee() : [body, body];

for (const [what, args] of cases) {
  test(`a FastResponse of ${what} leaves as Node's own does`, async () => {
    const twin = twins(args[0]);
    const [fast] = await answered(new FastResponse(twin[0], args[1]));
    const [own] = await answered(new NodeResponse(twin[1], args[1]));
    for (const part of ["status", "reason", "headers", "body"] as const)
      assert.deepEqual(fast[part], own[part]);
  });

  test(`a FastResponse of ${what} is read as Node's own is, once`, async () => {
    const twin = twins(args[0]);
    const [fast, own] = [new FastResponse(twin[0], args[1]), new NodeResponse(twin[1], args[1])];
    const clones = [fast.clone(), own.clone()] as const;
    for (const [one, other] of [clones, [fast, own]] as const) {
      assert.deepEqual([one.status, one.statusText, one.ok], [other.status, other.statusText, other.ok]);
      assert.deepEqual([...one.headers], [...other.headers]);
      assert.equal(one.bodyUsed, false);
      assert.equal(await one.text(), await other.text());
      assert.deepEqual([one.bodyUsed, one.body === null], [other.bodyUsed, other.body === null]);
    }
  });
}

for (const [kind, made] of [
  ["Node's own Response", (body: string | Buffer) => new NodeResponse(body)],
  ["a FastResponse", (body: string | Buffer) => new FastResponse(body)],
] as const) {
  test(`${kind} of a text or of bytes leaves in one call, and only once`, async () => {
    for (const body of ["text", Buffer.from("bytes")]) {
      const [first, second, whole] = await answered(made(body));
      assert.deepEqual([first.status, first.body.toString(), whole], [200, body.toString(), true]);
      assert.match(second.body.toString(), /APP_PROTOCOL/);
    }
  });

  test(`${kind} that was read before is refused, as a whole and in part`, async () => {
    const [whole, part] = [made("text"), made("text")];
    await whole.text();
    const reader = part.body?.getReader();
    await reader?.read();
    reader?.releaseLock();
    for (const response of [whole, part])
      assert.match((await answered(response))[0].body.toString(), /APP_PROTOCOL/);
  });

  test(`${kind} whose stream was only looked at is sent`, async () => {
    const response = made("text");
    assert.equal(response.body?.locked, false);
    assert.equal((await answered(response))[0].body.toString(), "text");
  });

  test(`${kind} has no body for HEAD`, async () => {
    const [{ status, bytes }] = await answered(made("text"), "HEAD");
    assert.deepEqual([status, bytes], [200, 0]);
  });
}

test("what the app does to the headers of a FastResponse counts, also in its clone", async () => {
  const response = new FastResponse("text", { headers: { "x-a": "1" } });
  const { headers } = response;
  headers.set("x-b", "2");
  headers.delete("x-a");
  const clone = response.clone();
  headers.set("x-c", "3");
  assert.equal(response.headers, headers);
  const type = ["content-type", "text/plain;charset=UTF-8"];
  assert.deepEqual((await answered(response))[0].headers, [...type, "x-b", "2", "x-c", "3"]);
  assert.deepEqual((await answered(clone))[0].headers, [...type, "x-b", "2"]);
});

test("a FastResponse has every property that Node's own has, with the same value", () => {
  const [fast, own] = [new FastResponse(null, { status: 404 }), new NodeResponse(null, { status: 404 })];
  const parts = Object.entries(Object.getOwnPropertyDescriptors(NodeResponse.prototype));
  const names = parts.filter(([name, { get }]) => get && name !== "headers").map(([name]) => name);
  assert.ok(names.length > 6);
  for (const name of names as (keyof Response)[]) assert.equal(fast[name], own[name], name);
  assert.match(inspect(fast), /^Response \{.*status: 404/s);
});

test("a method or property of FastResponse works for a Response of Node's own, too", async () => {
  const own = new NodeResponse("text", { status: 201 });
  assert.equal(Reflect.get(FastResponse.prototype, "status", own), 201);
  assert.equal(await FastResponse.prototype.text.call(own), "text");
});

test("a FastResponse keeps bytes as they were when it was made", async () => {
  const memory = Buffer.from("before");
  const response = new FastResponse(memory);
  memory.fill("x");
  assert.equal((await answered(response))[0].body.toString(), "before");
});

test("a FastResponse is read in every way that Node has", async () => {
  const form = { headers: { "Content-Type": "application/x-www-form-urlencoded" } };
  assert.deepEqual([...(await new FastResponse("a=1", form).formData())], [["a", "1"]]);
  assert.deepEqual(await new FastResponse("[1]").json(), [1]);
  assert.equal(Buffer.from(await new FastResponse("text").arrayBuffer()).toString(), "text");
  const blob = await new FastResponse("text", { headers: { "Content-Type": "text/x" } }).blob();
  assert.deepEqual([await blob.text(), blob.type], ["text", "text/x"]);
});

test("what Node's Response refuses, a FastResponse refuses", () => {
  for (const init of [
    { status: 204 },
    { status: 99 },
    { status: 600 },
    { statusText: "a\nb" },
    { headers: { "a b": "c" } },
    { headers: { a: "\u0100" } },
    { headers: [["a"]] as unknown as [string, string][] },
    { headers: null as unknown as Headers },
    "text" as ResponseInit,
  ]) {
    assert.throws(() => new NodeResponse("x", init));
    assert.throws(() => new FastResponse("x", init));
  }
  assert.throws(() => FastResponse.json(undefined), TypeError);
});

test("FastResponse.json() is as Node's", async () => {
  for (const init of [undefined, { status: 201, headers: { "Content-Type": "application/x+json" } }]) {
    const [[fast], [own]] = [
      await answered(FastResponse.json({ a: ["\u00e9"] }, init)),
      await answered(NodeResponse.json({ a: ["\u00e9"] }, init)),
    ];
    for (const part of ["status", "headers", "body"] as const) assert.deepEqual(fast[part], own[part]);
  }
});

test("only useFastResponses() puts it in the place of the global one, of which everything stays an instance", (t) => {
  assert.equal(globalThis.Response, NodeResponse);
  t.after(() => {
    globalThis.Response = NodeResponse;
  });
  const before = new NodeResponse("x");
  useFastResponses();
  assert.equal(globalThis.Response, FastResponse);
  for (const response of [
    before,
    new Response("x"),
    Response.json(1),
    Response.error(),
    Response.redirect("http://a/", 302),
  ])
    assert.ok(response instanceof Response && response instanceof NodeResponse);
});

test("an instance of a subclass is one that the subclass, or one of its own, has made", (t) => {
  t.after(() => {
    globalThis.Response = NodeResponse;
  });
  useFastResponses();
  class Page extends Response {}
  class FastPage extends FastResponse {}
  class Special extends Page {}
  const pages = [
    new Response("x"),
    new NodeResponse("x"),
    new Page("x"),
    new FastPage("x"),
    new Special("x"),
  ];
  const made = (kind: typeof Response) => pages.map((page) => page instanceof kind);
  assert.deepEqual(made(Page), [false, false, true, false, true]);
  assert.deepEqual(made(FastPage), [false, false, false, true, false]);
  assert.deepEqual(made(Response), [true, true, true, true, true]);
});

test("an application that uses the earlier names, QuickResponse and useQuickResponses(), works", async (t) => {
  t.after(() => {
    globalThis.Response = NodeResponse;
  });
  useQuickResponses();
  assert.equal(globalThis.Response, FastResponse);
  class Page extends QuickResponse {}
  for (const response of [new QuickResponse("text"), QuickResponse.json("text"), new Page("text")]) {
    const [{ status, body }, , whole] = await answered(response);
    assert.deepEqual([status, body.toString().replaceAll('"', ""), whole], [200, "text", true]);
    assert.ok(response instanceof QuickResponse && response instanceof Response);
  }
});
