// Pyramid, newest version, behind the whole server.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { missing } from "../kit/needs.ts";
import type { Served } from "../kit/serve.ts";
import { APPS, curl, json, serveSite, sha256, upload } from "./site.ts";

const FOLDER = `${APPS}pyramid_site`;

describe("Pyramid", { skip: missing("py:pyramid", "curl") }, () => {
  let site: Served;
  const get = (path: string, init?: RequestInit) => fetch(site.url + path, init);

  before(async () => {
    site = await serveSite("app:make_app()", FOLDER);
  });
  after(() => site?.stop());

  test("a factory's application answers", async () => {
    assert.equal(await (await get("/")).text(), "Hello, Pyramid!");
  });

  test("a route's part outside ASCII is decoded, and the request knows its address", async () => {
    assert.deepEqual(await json(get("/greet/%C3%A9")), {
      hello: "é",
      url: `${site.url}/greet/%C3%A9`,
      script: "",
    });
  });

  test("a signed session lasts over a redirect", async () => {
    const printed = await curl(
      "-L",
      "-c",
      "-",
      "-b",
      "none",
      "-o",
      "-",
      "-d",
      "user=ann",
      `${site.url}/login`,
    );
    assert.ok(printed.startsWith('{"user": "ann", "messages": ["welcome"]}'), printed);
  });

  test("an upload arrives unchanged", async () => {
    const data = "line\r\n--boundary-like\r\n".repeat(5000);
    const response = await get("/upload", { method: "POST", body: upload("notes.txt", data) });
    assert.deepEqual(await response.json(), { name: "notes.txt", size: data.length, sha256: sha256(data) });
  });

  test("JSON goes in and out", async () => {
    const response = await get("/json", { method: "POST", body: '{"a": [1, "é"]}' });
    assert.deepEqual(await response.json(), { received: { a: [1, "é"] } });
  });

  test("an app_iter is streamed", async () => {
    assert.equal(await (await get("/stream")).text(), "line 0\nline 1\nline 2\nline 3\nline 4\n");
  });

  test("a file response gives the file, byte for byte", async () => {
    const response = await get("/source");
    const file = await readFile(`${FOLDER}/app.py`);
    assert.equal(response.headers.get("content-length"), String(file.length));
    assert.ok(file.equals(new Uint8Array(await response.arrayBuffer())));
  });

  test("a static view answers, and 304 when nothing has changed", async () => {
    const first = await get("/static/style.css");
    assert.equal(await first.text(), await readFile(`${FOLDER}/static/style.css`, "utf8"));
    const since = { "If-Modified-Since": first.headers.get("last-modified") ?? "" };
    assert.equal((await get("/static/style.css", { headers: since })).status, 304);
  });

  test("an exception view makes the answer", async () => {
    const response = await get("/boom");
    assert.deepEqual([response.status, await response.json()], [503, { caught: "boom in a view" }]);
  });
});
