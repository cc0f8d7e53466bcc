// httpbin, the HTTP workout, behind the whole server: methods, codings, cookies, redirects, streams, authentication.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { missing } from "../kit/needs.ts";
import type { Served } from "../kit/serve.ts";
import { APPS, curl, json, serveSite, visit } from "./site.ts";

const skip = missing("py:httpbin", "py:httpx", "py:requests", "curl");

let site: Served;
const get = (path: string, init?: RequestInit) => fetch(site.url + path, init);

before(async () => {
  if (!skip) site = await serveSite("httpbin:app", APPS, "--threads", "4");
});
after(() => site?.stop());

describe("httpbin: requests and bodies", { skip }, () => {
  for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
    test(`${method} is told as it was sent`, async () => {
      const body = method === "GET" ? null : "some text";
      const seen = await json(get("/anything/a%20b?x=1&x=2&y", { method, body }));
      assert.deepEqual([seen.method, seen.args.x, seen.data], [method, ["1", "2"], body ?? ""]);
      assert.equal(seen.url, `${site.url}/anything/a%20b?x=1&x=2&y`);
    });
  }

  test("request headers arrive, repeated ones joined", async () => {
    const printed = await curl("-H", "X-Test: one", "-H", "X-Test: two", "-A", "us", `${site.url}/headers`);
    const { headers } = JSON.parse(printed);
    assert.deepEqual([headers["X-Test"], headers["User-Agent"]], ["one, two", "us"]);
  });

  for (const status of [200, 201, 204, 301, 304, 400, 404, 418, 429, 500, 503]) {
    test(`status ${status} comes through`, async () => {
      const response = await get(`/status/${status}`, { redirect: "manual" });
      assert.equal(response.status, status);
      await response.arrayBuffer();
    });
  }

  for (const coding of ["gzip", "deflate", "brotli"]) {
    test(`a body in ${coding} is untouched on the way`, async () => {
      const seen = await json(get(`/${coding}`));
      assert.equal(seen[coding === "gzip" ? "gzipped" : coding === "deflate" ? "deflated" : "brotli"], true);
    });
  }

  test("bytes of every value come back as they are", async () => {
    const first = await (await get("/bytes/100000?seed=7")).arrayBuffer();
    const second = await (await get("/stream-bytes/100000?seed=7&chunk_size=777")).arrayBuffer();
    assert.equal(first.byteLength, 100_000);
    assert.ok(Buffer.from(first).equals(Buffer.from(second)));
  });

  test("a stream of a hundred JSON lines arrives whole", async () => {
    const lines = (await (await get("/stream/100")).text()).trim().split("\n");
    assert.deepEqual([lines.length, JSON.parse(lines[99] ?? "").id], [100, 99]);
  });

  test("UTF-8 comes back as it is", async () => {
    assert.match(await (await get("/encoding/utf8")).text(), /ði ıntəˈnæʃənəl/);
  });

  test("ranges are answered in part", async () => {
    const response = await get("/range/1024", { headers: { Range: "bytes=10-19" } });
    assert.deepEqual([response.status, await response.text()], [206, "klmnopqrst"]);
    assert.equal(response.headers.get("content-range"), "bytes 10-19/1024");
  });
});

describe("httpbin: clients", { skip }, () => {
  test("a chain of redirects ends where it should", async () => {
    const response = await get("/redirect/5");
    assert.deepEqual([response.status, response.url, response.redirected], [200, `${site.url}/get`, true]);
  });

  test("basic authentication is asked for and accepted", async () => {
    assert.equal((await get("/basic-auth/ann/secret")).status, 401);
    assert.match(
      await curl("-u", "ann:secret", `${site.url}/basic-auth/ann/secret`),
      /"authenticated": true/,
    );
  });

  test("digest authentication, cookies, chunked and multipart uploads work for requests and httpx", async () => {
    assert.deepEqual(await visit("httpbin_tour.py", site.url), {
      digest: { authenticated: true, user: "ann" },
      cookies: { cookies: { flavour: "oat", size: "big" } },
      chunked: "piece 0 piece 1 piece 2 ",
      multipart: ["file content", "field value"],
      kept_alive: true,
      httpx_json: { a: [1, 2, 3] },
      httpx_stream: 5,
    });
  });

  test("Expect: 100-continue is met", async () => {
    const printed = await curl(
      "-v",
      "-H",
      "Expect: 100-continue",
      "-d",
      "x=1",
      "--stderr",
      "-",
      `${site.url}/post`,
    );
    assert.match(printed, /< HTTP\/1\.1 100 Continue/);
    assert.match(printed, /"x": "1"/);
  });
});
