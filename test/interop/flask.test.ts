// Flask, newest version, behind the whole server: what its users rely on.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { missing } from "../kit/needs.ts";
import type { Served } from "../kit/serve.ts";
import { APPS, curl, json, serveSite, sha256, upload, visit } from "./site.ts";

const FOLDER = `${APPS}flask_site`;

const skip = missing("py:flask", "py:requests", "curl");

let site: Served;
const get = (path: string, init?: RequestInit) => fetch(site.url + path, init);

before(async () => {
  if (!skip) site = await serveSite("app", FOLDER);
});
after(() => site?.stop());

describe("Flask: requests", { skip }, () => {
  test("a template is rendered, with the address of its style sheet", async () => {
    const response = await get("/");
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/html; charset=utf-8");
    assert.match(await response.text(), /href="\/static\/style\.css"/);
  });

  test("a path outside ASCII reaches its view decoded", async () => {
    assert.equal(await (await get("/hello/J%C3%BCrgen%20%E3%81%82")).text(), "Hello, Jürgen あ!");
  });

  test("an encoded slash does not break the path's bytes", async () => {
    assert.equal((await get("/hello/a%2Fb")).status, 404);
  });

  test("a form keeps repeated fields and their order", async () => {
    const body = new URLSearchParams([
      ["a", "1"],
      ["b", "é &="],
      ["a", "2"],
    ]);
    const response = await get("/form", { method: "POST", body });
    assert.deepEqual(await response.json(), { a: ["1", "2"], b: ["é &="] });
  });

  test("JSON goes in and out", async () => {
    const value = { deep: [1, { text: "あ" }], none: null };
    const headers = { "Content-Type": "application/json" };
    const response = await get("/json", { method: "POST", headers, body: JSON.stringify(value) });
    assert.deepEqual(await response.json(), { received: value });
  });

  test("malformed JSON is the application's own 400", async () => {
    const headers = { "Content-Type": "application/json" };
    assert.equal((await get("/json", { method: "POST", headers, body: "{" })).status, 400);
  });

  test("several uploaded files arrive unchanged", async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256));
    const form = upload("first.txt", "hello");
    form.append("file", new Blob([bytes], { type: "image/png" }), "zweite.png");
    assert.deepEqual(await json(get("/upload", { method: "POST", body: form })), [
      { name: "first.txt", type: "text/plain", size: 5, sha256: sha256("hello") },
      { name: "zweite.png", type: "image/png", size: bytes.length, sha256: sha256(bytes) },
    ]);
  });

  test("a chunked upload is read to its end", async () => {
    const printed = await curl(
      "-T",
      `${FOLDER}/app.py`,
      "-H",
      "Transfer-Encoding: chunked",
      `${site.url}/raw`,
    );
    const { size, length } = JSON.parse(printed);
    assert.deepEqual([size, length], [(await readFile(`${FOLDER}/app.py`)).length, null]);
  });
});

describe("Flask: responses", { skip }, () => {
  test("a generator's lines arrive whole and in order", async () => {
    const text = await (await get("/stream?word=row")).text();
    assert.equal(text, "row 0\nrow 1\nrow 2\nrow 3\nrow 4\n");
  });

  test("server-sent events keep their media type and framing", async () => {
    const response = await get("/events");
    assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
    assert.equal(await response.text(), "data: one\n\ndata: two\n\n");
  });

  test("a session lasts over redirects, requests and a logout", async () => {
    const seen = await visit("flask_session.py", site.url);
    assert.deepEqual(seen, {
      after_login: { user: "ann", messages: ["welcome"] },
      next: { user: "ann", messages: [] },
      stranger: { user: null, messages: [] },
      after_logout: { user: null, messages: [] },
      visits: "Visits: 1",
    });
  });

  test("two cookies are two header lines", async () => {
    assert.deepEqual((await get("/cookies")).headers.getSetCookie(), [
      "first=1; HttpOnly; Path=/",
      'second="2\\073 with\\054 commas"; Path=/',
    ]);
  });

  test("a static file is served whole, conditionally and in part", async () => {
    const whole = await get("/static/style.css");
    assert.equal(whole.headers.get("content-type"), "text/css; charset=utf-8");
    const text = await whole.text();
    const etag = whole.headers.get("etag") ?? "";
    const same = await get("/static/style.css", { headers: { "If-None-Match": etag } });
    assert.deepEqual([same.status, await same.text()], [304, ""]);
    const part = await get("/static/style.css", { headers: { Range: "bytes=3-6" } });
    assert.deepEqual([part.status, await part.text()], [206, text.slice(3, 7)]);
  });

  test("send_file gives the file, byte for byte", async () => {
    assert.equal(await (await get("/source")).text(), await readFile(`${FOLDER}/app.py`, "utf8"));
  });

  test("HEAD has the headers of GET and no body", async () => {
    const printed = await curl("-I", `${site.url}/source`);
    const size = (await readFile(`${FOLDER}/app.py`)).length;
    assert.match(printed, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(printed, new RegExp(`^Content-Length: ${size}\r$`, "im"));
  });

  test("the application knows its own address and its client's", async () => {
    const seen = await json(get("/where?a=1&a=2&b=%C3%A9"));
    assert.deepEqual(seen, {
      url: `${site.url}/where?a=1&a=2&b=é`,
      root: "",
      path: "/where",
      remote: "127.0.0.1",
      query: { a: ["1", "2"], b: ["é"] },
      external: `${site.url}/hello/%C3%A9`,
    });
  });

  test("an exception in a view is Flask's 500, with its traceback in our log, and the next request works", async () => {
    const response = await get("/boom");
    assert.equal(response.status, 500);
    assert.match(await response.text(), /Internal Server Error/);
    await site.sees(/RuntimeError: boom in a view/);
    assert.equal((await get("/")).status, 200);
  });

  test("an unusual status keeps its number and reason", async () => {
    const response = await get("/teapot");
    assert.deepEqual([response.status, response.statusText], [418, "I'M A TEAPOT"]);
  });

  test("many clients at once each get their own answer", async () => {
    const names = Array.from({ length: 100 }, (_, index) => `name-${index}`);
    const answers = await Promise.all(names.map(async (name) => (await get(`/hello/${name}`)).text()));
    assert.deepEqual(
      answers,
      names.map((name) => `Hello, ${name}!`),
    );
  });
});

describe("Flask below a mount", { skip: missing("py:flask") }, () => {
  let site: Served;
  before(async () => {
    site = await serveSite("app:app", FOLDER, "--mount", "/shop", "--processes", "2", "--threads", "2");
  });
  after(() => site?.stop());

  test("every address that the application makes has the mount in front", async () => {
    const page = await (await fetch(`${site.url}/shop/`)).text();
    assert.match(page, /href="\/shop\/static\/style\.css"/);
    const seen = await json(fetch(`${site.url}/shop/where`));
    assert.deepEqual([seen.root, seen.path, seen.url], ["/shop", "/where", `${site.url}/shop/where`]);
  });

  test("a redirect stays below the mount", async () => {
    const body = new URLSearchParams({ user: "ann" });
    const response = await fetch(`${site.url}/shop/login`, { method: "POST", body, redirect: "manual" });
    assert.deepEqual([response.status, response.headers.get("location")], [302, "/shop/profile"]);
  });

  test("nothing is served beside the mount", async () => {
    assert.equal((await fetch(`${site.url}/`)).status, 404);
    assert.equal((await fetch(`${site.url}/shopping`)).status, 404);
  });

  test("both processes answer", async () => {
    const pids = new Set<number>();
    for (let round = 0; round < 50 && pids.size < 2; round++) {
      const answers = Array.from({ length: 20 }, () => json(fetch(`${site.url}/shop/process`)));
      for (const { pid } of await Promise.all(answers)) pids.add(pid);
    }
    assert.equal(pids.size, 2);
  });
});
