import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { type StaticOptions, staticFiles } from "../../src/apps/index.ts";
import { type Gateway, header } from "../../src/exchange/index.ts";
import { type Recorded, RecordedExchange, type RecordedRequest } from "../../src/testing/recorded.ts";
import { needs } from "../kit/needs.ts";
import { type ServedGateway, serveGateway } from "../kit/serve-gateway.ts";

const run = promisify(execFile);
const MODIFIED = new Date("2024-05-06T07:08:09Z");
const PAGE = "<!doctype html><title>page</title>".repeat(20);
let folder = "";
let root = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport-static-"));
  root = join(folder, "root");
  for (const name of ["docs", "empty", ".git", ".well-known", "docs/.hidden", "spaces and ü"])
    await mkdir(join(root, name), { recursive: true });
  const files: Record<string, string | Buffer> = {
    "root/index.html": "the index",
    "root/docs/index.html": "the docs",
    "root/hello.txt": "hello, world",
    "root/empty.txt": "",
    "root/page.html": PAGE,
    "root/page.html.br": brotliCompressSync(PAGE),
    "root/page.html.gz": gzipSync(PAGE),
    "root/only.css": "a{}",
    "root/only.css.gz": gzipSync("a{}"),
    "root/spaces and ü/100%.txt": "strange",
    "root/.env": "SECRET",
    "root/.git/config": "SECRET",
    "root/docs/.hidden/x": "SECRET",
    "root/.well-known/security.txt": "Contact: us",
    "root/big.bin": Buffer.alloc(1_000_000, "x"),
    secret: "SECRET",
    "root2/secret": "SECRET",
    "packages/style.css": "b{}",
    "packages/.git/config": "SECRET",
  };
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  await utimes(join(root, "hello.txt"), MODIFIED, MODIFIED);
  await symlink("../secret", join(root, "leads-out"));
  await symlink("../root2", join(root, "leads-out-too"));
  await symlink("../packages", join(root, "package"));
  await symlink("../packages/.git/config", join(root, "to-hidden-of-package"));
  await symlink("hello.txt", join(root, "inside"));
  await symlink(".env", join(root, "to-hidden"));
  await symlink("circle", join(root, "circle"));
});
after(() => rm(folder, { recursive: true }));

function ask(target: string, request: RecordedRequest = {}, options: Partial<StaticOptions> = {}) {
  const exchange = new RecordedExchange({ target, ...request });
  staticFiles({ directory: root, ...options }).handle(exchange);
  return exchange.done;
}

const field = (recorded: Recorded, name: string) => header(recorded.headers, name);
const withHeaders = (...headers: string[]): RecordedRequest => ({ headers: ["Host", "h", ...headers] });

test("a file is sent with type, length and validators", async () => {
  const recorded = await ask("/hello.txt");
  assert.deepEqual([recorded.status, recorded.body.toString()], [200, "hello, world"]);
  assert.equal(field(recorded, "content-type"), "text/plain; charset=utf-8");
  assert.equal(field(recorded, "content-length"), "12");
  assert.equal(field(recorded, "last-modified"), MODIFIED.toUTCString());
  assert.match(field(recorded, "etag") ?? "", /^W\/".+"$/);
  assert.equal(field(recorded, "accept-ranges"), "bytes");
});

test("an empty file is an empty response", async () => {
  const { status, body, complete } = await ask("/empty.txt");
  assert.deepEqual([status, body.length, complete], [200, 0, true]);
});

test("HEAD gives the head of GET, and no byte of body", async () => {
  const get = await ask("/hello.txt");
  const head = await ask("/hello.txt", { method: "HEAD" });
  assert.deepEqual([head.status, head.bytes, head.headers], [200, 0, get.headers]);
});

test("conditions are answered with 304 and 412", async () => {
  const { headers } = await ask("/hello.txt");
  const etag = header(headers, "etag") ?? "";
  const status = async (...fields: string[]) => (await ask("/hello.txt", withHeaders(...fields))).status;
  assert.equal(await status("If-None-Match", etag), 304);
  assert.equal(await status("If-None-Match", '"other"'), 200);
  assert.equal(await status("If-Modified-Since", MODIFIED.toUTCString()), 304);
  assert.equal(await status("If-Match", '"other"'), 412);
  assert.equal(await status("If-Match", "*"), 200);
  assert.equal(await status("If-Unmodified-Since", new Date(0).toUTCString()), 412);
  assert.equal(await status("If-Unmodified-Since", MODIFIED.toUTCString()), 200);
});

test("If-Match wants a strong validator, and ours are weak (RFC 9110, 13.1.1)", async () => {
  const { headers } = await ask("/hello.txt");
  const etag = header(headers, "etag") ?? "";
  for (const tags of [etag, etag.slice(2), `"other", ${etag}`])
    assert.equal((await ask("/hello.txt", withHeaders("If-Match", tags))).status, 412, tags);
});

test("conditions are judged in their order (RFC 9110, 13.2.2)", async () => {
  const { headers } = await ask("/hello.txt");
  const etag = header(headers, "etag") ?? "";
  const long = new Date(0).toUTCString();
  const later = new Date(MODIFIED.getTime() + 60_000).toUTCString();
  const status = async (...fields: string[]) =>
    (await ask("/hello.txt", withHeaders("Range", "bytes=0-4", ...fields))).status;
  assert.equal(await status("If-Match", "*", "If-Unmodified-Since", long), 206);
  assert.equal(await status("If-Match", '"other"', "If-None-Match", etag), 412);
  assert.equal(await status("If-Unmodified-Since", long, "If-None-Match", etag), 412);
  assert.equal(await status("If-None-Match", '"other"', "If-Modified-Since", later), 206);
  assert.equal(await status("If-None-Match", etag, "If-Modified-Since", long), 304);
  assert.equal(await status("If-None-Match", etag, "If-Range", '"other"'), 304);
});

for (const [range, status, body, contentRange] of [
  ["bytes=0-4", 206, "hello", "bytes 0-4/12"],
  ["bytes=7-", 206, "world", "bytes 7-11/12"],
  ["bytes=-5", 206, "world", "bytes 7-11/12"],
  ["bytes=5-999", 206, ", world", "bytes 5-11/12"],
  ["bytes=-999", 206, "hello, world", "bytes 0-11/12"],
  ["bytes=-0", 416, "416 Range Not Satisfiable\n", "bytes */12"],
  ["bytes=0-1,3-4", 200, "hello, world", undefined],
  ["bytes=0-1, 2-4", 206, "hello", "bytes 0-4/12"],
  ["bytes=12-", 416, "416 Range Not Satisfiable\n", "bytes */12"],
  ["bytes=x", 200, "hello, world", undefined],
  ["lines=0-1", 200, "hello, world", undefined],
] as const) {
  test(`the range ${range} is answered with ${status}`, async () => {
    const recorded = await ask("/hello.txt", withHeaders("Range", range));
    assert.deepEqual(
      [recorded.status, recorded.body.toString(), field(recorded, "content-range")],
      [status, body, contentRange],
    );
  });
}

test("a range is sent only while If-Range holds", async () => {
  const { headers } = await ask("/hello.txt");
  const ranged = (value: string) => ask("/hello.txt", withHeaders("Range", "bytes=0-4", "If-Range", value));
  // Ours are weak, and only a strong one holds (RFC 9110, 13.1.5), whether or not the client calls it weak.
  const weak = header(headers, "etag") ?? "";
  for (const tag of [weak, weak.slice(2), '"other"']) assert.equal((await ranged(tag)).status, 200, tag);
  assert.equal((await ranged(MODIFIED.toUTCString())).status, 206);
  for (const shift of [-1000, 1000]) {
    const other = await ranged(new Date(MODIFIED.getTime() + shift).toUTCString());
    assert.deepEqual([other.status, other.body.toString()], [200, "hello, world"], `${shift}`);
  }
  assert.equal((await ranged("yesterday")).status, 200);
});

test("the date of a file that has only just changed is no strong validator", async (t) => {
  const now = Math.floor(Date.now() / 1000) * 1000;
  t.mock.timers.enable({ apis: ["Date"], now: now + 999 });
  await utimes(join(root, "only.css"), new Date(now), new Date(now));
  const conditions = withHeaders("Range", "bytes=0-1", "If-Range", new Date(now).toUTCString());
  assert.equal((await ask("/only.css", conditions)).status, 200);
  t.mock.timers.setTime(now + 1000);
  assert.equal((await ask("/only.css", conditions)).status, 206);
});

test("a file from the future was last modified now", async (t) => {
  const now = Math.floor(Date.now() / 1000) * 1000;
  t.mock.timers.enable({ apis: ["Date"], now });
  await utimes(join(root, "only.css"), new Date(now + 60_000), new Date(now + 60_000));
  assert.equal(field(await ask("/only.css"), "last-modified"), new Date(now).toUTCString());
});

test("an empty file has no ranges", async () => {
  for (const range of ["bytes=0-", "bytes=-1", "bytes=0-0"]) {
    const { status, body } = await ask("/empty.txt", withHeaders("Range", range));
    assert.deepEqual([status, body.length], [200, 0], range);
  }
});

test("a range means nothing to HEAD", async () => {
  for (const range of ["bytes=0-4", "bytes=99-"]) {
    const head = await ask("/hello.txt", { method: "HEAD", ...withHeaders("Range", range) });
    const { status } = head;
    assert.deepEqual(
      [status, field(head, "content-length"), field(head, "content-range")],
      [200, "12", undefined],
    );
  }
});

test("cache rules are those of the options", async () => {
  assert.equal(field(await ask("/hello.txt"), "cache-control"), "public, max-age=0");
  const kept = await ask("/hello.txt", {}, { maxAge: 60, immutable: true });
  assert.equal(field(kept, "cache-control"), "public, max-age=60, immutable");
});

test("a directory answers with its index, and without one with 404", async () => {
  assert.equal((await ask("/")).body.toString(), "the index");
  assert.equal((await ask("/docs/")).body.toString(), "the docs");
  assert.equal((await ask("/empty/")).status, 404);
  assert.equal((await ask("/docs/", {}, { index: false })).status, 404);
  assert.equal((await ask("/docs/", {}, { index: "hello.txt" })).status, 404);
});

for (const [target, mount, place] of [
  ["/docs", "", "/docs/"],
  ["/docs?a=1&b", "", "/docs/?a=1&b"],
  ["/m/docs", "/m", "/m/docs/"],
  ["/m", "/m", "/m/"],
  ["/m?q", "/m", "/m/?q"],
] as const) {
  test(`the directory ${target} below "${mount}" is moved to ${place}`, async () => {
    const recorded = await ask(target, { mount });
    assert.deepEqual([recorded.status, field(recorded, "location")], [301, place]);
  });
}

for (const target of ["//docs", "//evil.example/..", "/\\docs", "/%5cdocs", "//evil.example"]) {
  test(`${target} never redirects to another host`, async () => {
    const recorded = await ask(target);
    assert.ok(recorded.status === 404 || recorded.status === 400, String(recorded.status));
    assert.equal(field(recorded, "location"), undefined);
  });
}

test("strange names are found by their encoding", async () => {
  assert.equal((await ask("/spaces%20and%20%C3%BC/100%25.txt")).body.toString(), "strange");
});

const REFUSED: Record<number, readonly string[]> = {
  400: [
    "/../secret",
    "/docs/../hello.txt",
    "/%2e%2e/secret",
    "/.%2e/secret",
    "/%2E%2E%2Fsecret",
    "/..%2fsecret",
    "/docs%2findex.html",
    "/..\\secret",
    "/..%5csecret",
    "/hello.txt%00",
    "/%00",
    "/%ff",
    "/%",
    "/./hello.txt",
  ],
  403: ["/leads-out", "/leads-out-too/secret", "/leads-out-too/"],
  404: [
    "/nothing",
    "/hello.txt/",
    "/hello.txt/below",
    "/docs//index.html",
    "/.env",
    "/.git/config",
    "/docs/.hidden/x",
    "/docs/.well-known/",
    "/%2eenv",
    "/to-hidden",
    "/circle",
    `/${"x".repeat(300)}`,
    "/%252e%252e/secret",
  ],
};
for (const [status, targets] of Object.entries(REFUSED)) {
  for (const target of targets) {
    test(`${target.slice(0, 40)} is refused with ${status} [C5]`, async () => {
      const recorded = await ask(target);
      assert.equal(recorded.status, Number(status));
      assert.doesNotMatch(recorded.body.toString(), /SECRET/);
    });
  }
}

test("what the server's side keeps from being sent is its fault, so that the log tells of it", async () => {
  const { failure } = await ask("/leads-out");
  assert.deepEqual([failure?.code, failure?.fault], ["ERR_SALLYPORT_FILE_REFUSED", "config"]);
  assert.match(`${failure?.message}`, /a link leads out of .*\/secret \(links may allow it\)$/);
});

test("a link that stays inside is followed, and .well-known is seen", async () => {
  assert.equal((await ask("/inside")).body.toString(), "hello, world");
  assert.equal((await ask("/.well-known/security.txt")).body.toString(), "Contact: us");
});

test("links lead where they may: to the directories that are named, or anywhere, but to nothing hidden", async () => {
  const packages = { links: [join(folder, "none"), join(folder, "packages")] };
  const anywhere = { links: ["/"] };
  const target = "/package/style.css";
  assert.equal((await ask(target)).status, 403);
  for (const options of [packages, anywhere])
    assert.equal((await ask(target, {}, options)).body.toString(), "b{}");
  assert.equal((await ask("/leads-out-too/secret", {}, packages)).status, 403);
  assert.equal((await ask("/leads-out-too/secret", {}, anywhere)).status, 200);
  for (const options of [packages, anywhere])
    for (const hidden of ["/package/.git/config", "/to-hidden-of-package", "/to-hidden"])
      assert.equal((await ask(hidden, {}, options)).status, 404, hidden);
});

test("a link that may lead out finds the precompressed variant there", async () => {
  await writeFile(join(folder, "packages/style.css.gz"), gzipSync("b{}"));
  const options = { links: [join(folder, "packages")], precompressed: true };
  const recorded = await ask("/package/style.css", { headers: ["Accept-Encoding", "gzip"] }, options);
  assert.equal(field(recorded, "content-encoding"), "gzip");
});

test("a directory that is itself behind a link is served", async () => {
  const link = join(folder, "current");
  await symlink("root", link);
  assert.equal((await ask("/hello.txt", {}, { directory: link })).status, 200);
});

test("a pipe is refused, and nobody waits for it", async (t) => {
  if (!needs(t, "mkfifo")) return;
  await run("mkfifo", [join(root, "pipe")]);
  assert.equal((await ask("/pipe")).status, 403);
});

test("a method other than GET and HEAD is refused with 405, which tells what is allowed", async () => {
  const recorded = await ask("/hello.txt", { method: "POST", body: "x" });
  assert.deepEqual([recorded.status, field(recorded, "allow")], [405, "GET, HEAD"]);
  assert.match(recorded.body.toString(), /ERR_SALLYPORT_METHOD_NOT_ALLOWED/);
});

test("what is no file falls through, whatever its method; what is refused does not", async () => {
  const fallthrough: Gateway = {
    handle: (exchange) => exchange.respond({ status: 299, reason: "", headers: [] }, "the app"),
  };
  assert.equal((await ask("/nothing", { method: "POST" }, { fallthrough })).status, 299);
  assert.equal((await ask("/hello.txt", {}, { fallthrough })).status, 200);
  assert.equal((await ask("/leads-out", {}, { fallthrough })).status, 403);
  assert.equal((await ask("/%00", {}, { fallthrough })).status, 400);
});

describe("precompressed", () => {
  for (const [accept, coding] of [
    ["gzip, deflate, br", "br"],
    ["gzip", "gzip"],
    ["x-gzip", "gzip"],
    ["br;q=0.5, gzip;q=0.9", "gzip"],
    ["br;q=0, gzip", "gzip"],
    ["*", "br"],
    ["GZIP", "gzip"],
    ["gzip;q=0.5, identity", undefined],
    ["gzip;q=0, br;q=0", undefined],
    ["gzip;q=nonsense", undefined],
    ["identity", undefined],
    ["", undefined],
  ] as const) {
    test(`"${accept}" gets ${coding ?? "the file as it is"}`, async () => {
      const headers = withHeaders(...(accept ? ["Accept-Encoding", accept] : []));
      const recorded = await ask("/page.html", headers, { precompressed: true });
      assert.deepEqual(
        ["content-encoding", "vary", "content-type"].map((name) => field(recorded, name)),
        [coding, "Accept-Encoding", "text/html; charset=utf-8"],
      );
      const plain = { br: brotliCompressSync(PAGE), gzip: gzipSync(PAGE), none: Buffer.from(PAGE) };
      assert.equal(recorded.body.length, plain[coding ?? "none"].length);
    });
  }

  test("each variant has a validator of its own", async () => {
    const etag = async (accept: string) =>
      field(await ask("/page.html", withHeaders("Accept-Encoding", accept), { precompressed: true }), "etag");
    const etags = await Promise.all(["br", "gzip", "identity"].map(etag));
    assert.equal(new Set(etags).size, 3);
    const unchanged = withHeaders("Accept-Encoding", "br", "If-None-Match", etags[0] ?? "");
    assert.equal((await ask("/page.html", unchanged, { precompressed: true })).status, 304);
  });

  test("a file without variants does not vary, and nothing is compressed unasked", async () => {
    const headers = withHeaders("Accept-Encoding", "br, gzip");
    assert.equal(field(await ask("/hello.txt", headers, { precompressed: true }), "vary"), undefined);
    assert.equal(field(await ask("/page.html", headers), "content-encoding"), undefined);
    const css = await ask("/only.css", headers, { precompressed: true });
    assert.equal(field(css, "content-encoding"), "gzip");
  });
});

test("start rejects for what is no directory", async () => {
  for (const directory of [join(root, "hello.txt"), join(root, "nothing")]) {
    await assert.rejects(async () => staticFiles({ directory }).start?.(), {
      code: "ERR_SALLYPORT_TARGET_NOT_FOUND",
    });
  }
  await staticFiles({ directory: root }).start?.();
});

test("a file that shrinks while it is sent is a cut, never a complete response", async () => {
  const path = join(root, "shrinks.bin");
  await writeFile(path, Buffer.alloc(1_000_000, "x"));
  const exchange = new RecordedExchange({ target: "/shrinks.bin" });
  exchange.stalled = true;
  const write = exchange.write.bind(exchange);
  exchange.write = (chunk) => {
    exchange.write = write;
    const ready = write(chunk);
    truncate(path, 100).then(() => exchange.release());
    return ready;
  };
  staticFiles({ directory: root }).handle(exchange);
  const { complete, error, bytes } = await exchange.done;
  assert.deepEqual([complete, error?.code], [false, "ERR_SALLYPORT_APP_SHORT_BODY"]);
  assert.ok(bytes < 1_000_000);
});

describe("over HTTP", () => {
  let site: ServedGateway | undefined;
  before(async () => {
    site = await serveGateway(staticFiles({ directory: root }));
  });
  after(() => site?.close());
  const curl = async (...args: string[]) => (await run("curl", ["-s", "--path-as-is", ...args])).stdout;

  test("curl gets files, ranges, and no secrets", async (t) => {
    if (!needs(t, "curl")) return;
    const url = site?.url ?? "";
    assert.equal(await curl(`${url}/hello.txt`), "hello, world");
    assert.equal(await curl("-r", "0-4", `${url}/hello.txt`), "hello");
    assert.equal((await curl(`${url}/big.bin`)).length, 1_000_000);
    assert.match(await curl("-I", `${url}/docs`), /^HTTP\/1.1 301 [\s\S]*\r\nLocation: \/docs\/\r\n/);
    assert.doesNotMatch(await curl(`${url}/../secret`), /SECRET/);
    assert.doesNotMatch(await curl(`${url}/%2e%2e/secret`), /SECRET/);
  });
});
