// `useFastRequests`, by which programs get light Requests from Node 24 on, too. What such a Request does is in
// fetch-request.test.ts.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, test } from "node:test";
import { fetchRequest } from "../../src/apps/fetch-request.ts";
import { fetchApp, useFastRequests } from "../../src/apps/index.ts";
import { RecordedExchange, type RecordedRequest } from "../../src/testing/recorded.ts";

const { Request: NodeRequest, fetch: nodeFetch } = globalThis;
const WHOLE = Symbol.for("sallyport.request.whole");
const ALWAYS_LIGHT = Number(process.versions.node.split(".")[0]) < 24;

afterEach(() => Object.assign(globalThis, { Request: NodeRequest, fetch: nodeFetch }));

const made = (request: RecordedRequest = {}) => fetchRequest(new RecordedExchange(request));
const isLight = (request: object): boolean => WHOLE in request;

test("without it nothing is replaced, and Requests are light only where Node accepts them", () => {
  assert.deepEqual([globalThis.Request, globalThis.fetch], [NodeRequest, nodeFetch]);
  assert.equal(isLight(made()), ALWAYS_LIGHT);
});

test("with it they are light, and an instance of Request, as those of Node and of its subclasses are", () => {
  class Before extends Request {}
  useFastRequests();
  class After extends Request {}
  const requests = [
    made(),
    new Request("http://a/"),
    new NodeRequest("http://a/"),
    new Before("http://a/"),
    new After("http://a/"),
  ];
  assert.ok(isLight(requests[0] as Request));
  const instances = (of: typeof Request) => requests.map((request) => request instanceof of);
  assert.deepEqual(instances(Request), [true, true, true, true, true]);
  assert.deepEqual(instances(NodeRequest), [true, true, true, true, true]);
  assert.deepEqual(instances(Before), [false, false, false, true, false]);
  assert.deepEqual(instances(After), [false, false, false, false, true]);
  assert.equal(made().constructor, Request);
});

test("up to Node 22 it replaces nothing; asked twice, it replaces once", () => {
  useFastRequests();
  const { Request: once, fetch: fetchOnce } = globalThis;
  assert.deepEqual([once === NodeRequest, fetchOnce === nodeFetch], [ALWAYS_LIGHT, ALWAYS_LIGHT]);
  useFastRequests();
  assert.deepEqual([globalThis.Request, globalThis.fetch], [once, fetchOnce]);
  assert.deepEqual([fetchOnce.name, fetchOnce.length], [nodeFetch.name, nodeFetch.length]);
});

test("a Request that is put in place of the global one afterwards gets light ones if it is a subclass, otherwise whole ones", async () => {
  useFastRequests();
  class Theirs extends Request {}
  globalThis.Request = Theirs;
  const request = made({ method: "POST", body: "text" });
  assert.ok(isLight(request));
  assert.equal(await new Request(request).text(), "text");
  globalThis.Request = NodeRequest;
  assert.equal(isLight(made()), ALWAYS_LIGHT);
});

test("a light Request becomes one of a subclass, with its headers as they are by now", async () => {
  useFastRequests();
  class Theirs extends Request {}
  const request = made({ method: "POST", body: "text", headers: ["X-A", "1", "X-B", "1"] });
  request.headers.set("x-a", "2");
  assert.equal(await request.clone().text(), "text");
  request.headers.set("x-a", "3");
  request.headers.delete("x-b");
  const theirs = new Theirs(request);
  assert.deepEqual([theirs.headers.get("x-a"), theirs.headers.get("x-b")], ["3", null]);
  assert.deepEqual([theirs.method, await theirs.text(), request.bodyUsed], ["POST", "text", true]);
});

test("what a light Request has read, no other can read", async () => {
  useFastRequests();
  const request = made({ method: "POST", body: "text" });
  await request.text();
  assert.throws(() => new Request(request), TypeError);
  await assert.rejects(fetch(request), TypeError);
});

test("fetch(request) is given up when the client leaves", async (t) => {
  useFastRequests();
  const server = createServer(() => exchange.hangUp());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const exchange = new RecordedExchange({ authority: `127.0.0.1:${port}` });
  await assert.rejects(fetch(fetchRequest(exchange)), { name: "AbortError" });
});

test("an app passes its Request on to another one", async () => {
  useFastRequests();
  const inner = fetchApp(async (request) => new Response(`${request.method} ${await request.text()}`));
  const outer = fetchApp(async (request) => {
    const { url, method } = request;
    const copy = new Request(request, { headers: { "x-a": "1" } });
    return new Response(`${url} ${method} ${copy.headers.get("x-a")} ${await copy.text()}`);
  });
  for (const [app, expected] of [
    [inner, "PUT text"],
    [outer, "http://localhost/ PUT 1 text"],
  ] as const) {
    const exchange = new RecordedExchange({ method: "PUT", body: "text", authority: "localhost" });
    app.handle(exchange);
    assert.equal((await exchange.done).body.toString(), expected);
  }
});
