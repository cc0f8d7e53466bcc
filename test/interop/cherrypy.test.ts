// CherryPy, newest version, as a tree of WSGI applications behind the whole server.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { missing } from "../kit/needs.ts";
import type { Served } from "../kit/serve.ts";
import { APPS, curl, serveSite, sha256, upload } from "./site.ts";

describe("CherryPy", { skip: missing("py:cherrypy", "curl") }, () => {
  let site: Served;
  const get = (path: string, init?: RequestInit) => fetch(site.url + path, init);

  before(async () => {
    site = await serveSite("app", `${APPS}cherrypy_site`, "--threads", "4");
  });
  after(() => site?.stop());

  test("a handler answers, with its argument from the query and from the path", async () => {
    assert.equal(await (await get("/")).text(), "Hello, CherryPy!");
    assert.equal(await (await get("/greet?name=J%C3%BCrgen")).text(), "Hello, Jürgen!");
    assert.equal(await (await get("/greet/あ")).text(), "Hello, あ!");
  });

  test("a session in the worker's memory lasts over a redirect", async () => {
    const printed = await curl("-L", "-b", "none", "-d", "user=ann", `${site.url}/login`);
    assert.equal(printed, "ann");
    assert.equal(await (await get("/profile")).text(), "nobody");
  });

  test("an upload arrives unchanged", async () => {
    const data = "0123456789".repeat(50_000);
    const response = await get("/upload", { method: "POST", body: upload("digits.txt", data) });
    assert.equal(await response.text(), `digits.txt ${data.length} ${sha256(data)}`);
  });

  test("a streamed handler arrives whole", async () => {
    assert.equal(await (await get("/stream")).text(), "line 0\nline 1\nline 2\nline 3\nline 4\n");
  });

  test("the second application of the tree has its own SCRIPT_NAME", async () => {
    const headers = { "Content-Type": "application/json" };
    const response = await get("/api/echo", { method: "POST", headers, body: '{"a": 1}' });
    assert.deepEqual(await response.json(), { received: { a: 1 }, script: "/api" });
  });

  test("a static directory is served, in part when asked", async () => {
    const response = await get("/static/style.css", { headers: { Range: "bytes=0-0" } });
    assert.deepEqual([response.status, await response.text()], [206, "p"]);
  });

  test("an exception in a handler is CherryPy's 500, and the next request works", async () => {
    assert.equal((await get("/boom")).status, 500);
    assert.equal((await get("/")).status, 200);
  });

  test("a path that leads nowhere is CherryPy's 404", async () => {
    assert.equal((await get("/nowhere")).status, 404);
  });
});
