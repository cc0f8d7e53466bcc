// Answers and redirects that the configuration has whole.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fixedAnswer, type RedirectOptions, redirect } from "../../src/apps/answer.ts";
import type { Config } from "../../src/config/config.ts";
import { type Gateway, header, silentLog } from "../../src/exchange/index.ts";
import { createServer } from "../../src/server/create.ts";
import { type Recorded, RecordedExchange, type RecordedRequest } from "../../src/testing/recorded.ts";
import { makeCertificate } from "../kit/make-certificate.ts";
import { makeFolder } from "../kit/make-folder.ts";

function ask(gateway: Gateway, request: RecordedRequest = {}, mount = ""): Promise<Recorded> {
  const exchange = new RecordedExchange(request);
  exchange.mount = mount;
  gateway.handle(exchange);
  return exchange.done;
}

test("an answer has the status, and says it unless it has words of its own", async () => {
  const closed = await ask(fixedAnswer({ status: 403 }));
  assert.deepEqual([closed.status, closed.body.toString()], [403, "403 Forbidden\n"]);
  assert.equal(header(closed.headers, "content-type"), "text/plain; charset=utf-8");
  const headers = { "Retry-After": 3600, "content-type": "text/html" };
  const repaired = await ask(fixedAnswer({ status: 503, text: "<p>Back at noon", headers }), {
    method: "POST",
  });
  assert.equal(repaired.body.toString(), "<p>Back at noon");
  const sent = ["Retry-After", "3600", "content-type", "text/html", "Content-Length", "15"];
  assert.deepEqual(repaired.headers, sent);
  const asked = await ask(fixedAnswer({ status: 404 }), { method: "HEAD" });
  assert.deepEqual([asked.body.length, header(asked.headers, "content-length")], [0, "14"]);
  const empty = await ask(fixedAnswer({ status: 204 }));
  assert.deepEqual([empty.body.length, header(empty.headers, "content-length")], [0, undefined]);
  assert.equal((await ask(fixedAnswer({ status: 599 }))).body.toString(), "599\n");
});

async function location(options: RedirectOptions, target: string, mount = "", authority = "a.example:8000") {
  const { status, headers, failure } = await ask(redirect(options), { target, authority }, mount);
  return failure?.code ?? `${status} ${header(headers, "location")}`;
}

const TO = "https://b.example/new";
const REDIRECTS: [RedirectOptions, string, string, string][] = [
  [{ to: TO }, "/a/b?c=d", "", "308 https://b.example/new/a/b?c=d"],
  [{ to: TO }, "/a/b?c=d", "/a", "308 https://b.example/new/b?c=d"],
  [{ to: TO }, "/a", "/a", "308 https://b.example/new"],
  [{ to: `${TO}/` }, "/a/", "/a", "308 https://b.example/new/"],
  [{ to: `${TO}?x`, keepPath: false, status: 302 }, "/a/b?c=d", "/a", "302 https://b.example/new?x"],
  [{ to: "https://b.example" }, "/.c.example", "", "308 https://b.example/.c.example"],
  [{ to: "https://b.example" }, "*", "", "308 https://b.example"],
  [{ to: "/new", status: 301 }, "/old/%2e%2e/%0d%0aX:%20y", "/old", "301 /new/%2e%2e/%0d%0aX:%20y"],
  [{ to: "/" }, "/old//evil.example", "/old", "308 /evil.example"],
  [{ to: "/" }, "/old/\\evil.example", "/old", "308 /evil.example"],
  [{ to: "https:" }, "/a/b?c", "/a", "308 https://a.example/a/b?c"],
  [{ to: "https:" }, "//b.example/", "", "308 https://a.example//b.example/"],
];

for (const [options, target, mount, expected] of REDIRECTS)
  test(`a redirect to ${options.to} takes ${target}${mount && ` below ${mount}`} to ${expected}`, async () =>
    assert.equal(await location(options, target, mount), expected));

test("a redirect to another scheme needs a host, and its port is that of the other scheme", async () => {
  assert.equal(await location({ to: "https:" }, "/", "", "[::1]:8000"), "308 https://[::1]/");
  assert.equal(await location({ to: "https:" }, "/", "", "[::1]"), "308 https://[::1]/");
  assert.equal(await location({ to: "https:" }, "/", "", ""), "ERR_SALLYPORT_BAD_HOST");
});

/** The addresses of a server that ends with the test. */
async function started(t: TestContext, config: Config): Promise<URL[]> {
  const server = createServer(config, { directory: makeFolder(t), log: silentLog });
  t.after(() => server.stop(0));
  return (await server.start()).map((address) => new URL(`${address}`));
}

test("a plain address sends clients to TLS, whatever path they ask for, but for those of the same scheme", async (t) => {
  const { cert, key, remove } = makeCertificate();
  t.after(remove);
  const files = makeFolder(t);
  mkdirSync(join(files, "token"));
  writeFileSync(join(files, "page"), "by TLS");
  writeFileSync(join(files, "token/x"), "proof");
  const [plain, safe] = (await started(t, {
    listen: ["127.0.0.1:0", { address: "127.0.0.1:0", tls: { cert, key } }],
    apps: { site: { static: files }, safe: { redirect: "https:" }, closed: { answer: 404, text: "closed" } },
    routes: [
      { path: "/", app: "site" },
      { path: "/closed", app: "closed" },
      { scheme: "http", app: "safe" },
      { scheme: "http", path: "/token", keepPrefix: true, app: "site" },
    ],
  })) as [URL, URL];
  const asked = await fetch(new URL("/closed/x?y", plain), { method: "POST", body: "a", redirect: "manual" });
  assert.deepEqual([asked.status, asked.headers.get("location")], [308, "https://127.0.0.1/closed/x?y"]);
  assert.equal(await (await fetch(new URL("/token/x", plain))).text(), "proof");
  const answer = (path: string): Promise<string> =>
    new Promise((resolve, reject) => {
      get(new URL(path, safe), { rejectUnauthorized: false }, async (response) => {
        resolve(`${response.statusCode} ${Buffer.concat(await response.toArray())}`);
      }).on("error", reject);
    });
  assert.deepEqual([await answer("/page"), await answer("/closed/x")], ["200 by TLS", "404 closed"]);
});
