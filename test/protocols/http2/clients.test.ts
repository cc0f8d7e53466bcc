// Real clients of HTTP/2, each with an implementation of its own: curl and nghttp (nghttp2), httpx (hyper-h2), node:http2.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { type Exchange, type Gateway, silentLog } from "../../../src/exchange/index.ts";
import { createServer } from "../../../src/server/create.ts";
import { Authority } from "../../kit/certificate-authority.ts";
import { makeFolder } from "../../kit/make-folder.ts";
import { needs, VENV_PYTHON } from "../../kit/needs.ts";

const authority = new Authority();
const keys = authority.server("server", ["localhost", "127.0.0.1"]);
const directory = makeFolder();

const SIZE = 3_000_000;
const body = Buffer.alloc(SIZE, "0123456789abcdefghij");
const file = join(directory, "upload");
writeFileSync(file, body);
const digestOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** Says what came: scheme, version, method, target, and how much body with which digest; or gives a large body. */
const application: Gateway = {
  handle(exchange) {
    const answer = exchange.request.path === "/large" ? large : describe;
    answer(exchange).catch((error) => exchange.fail(error));
  },
};

async function describe(exchange: Exchange): Promise<void> {
  const { scheme, version, method, target } = exchange.request;
  const hash = createHash("sha256");
  let size = 0;
  for (let piece = await exchange.body.read(); piece; piece = await exchange.body.read()) {
    hash.update(piece);
    size += piece.length;
  }
  const text = [scheme, version, method, target, size, size > 0 ? hash.digest("hex") : ""].join(" ");
  exchange.respond({ status: 200, reason: "", headers: ["Content-Type", "text/plain"] }, text);
}

async function large(exchange: Exchange): Promise<void> {
  exchange.start({ status: 200, reason: "", headers: [] });
  for (let at = 0; at < SIZE; at += 10_000)
    if (!exchange.write(body.subarray(at, at + 10_000)))
      await new Promise<void>((resolve) => exchange.whenDrained(resolve));
  exchange.end();
}

async function serving(t: TestContext): Promise<{ plain: string; tls: string }> {
  const listen = ["127.0.0.1:0", { address: "127.0.0.1:0", tls: keys as never }];
  const server = createServer({ listen, apps: { application } }, { log: silentLog });
  t.after(() => server.stop(0));
  const [plain = "", tls = ""] = await server.start();
  return { plain, tls };
}

async function run(program: string, ...args: string[]): Promise<Buffer> {
  const options = { timeout: 60_000, encoding: "buffer", maxBuffer: 2 * SIZE } as const;
  return (await promisify(execFile)(program, args, options)).stdout;
}

const curl = (...args: string[]): Promise<Buffer> => run("curl", "-sS", "--cacert", authority.ca, ...args);
const uploaded = `${SIZE} ${digestOf(body)}`;

test("curl asks in cleartext, with prior knowledge", async (t) => {
  if (!needs(t, "curl")) return;
  const { plain } = await serving(t);
  assert.equal(`${await curl("--http2-prior-knowledge", `${plain}/a?b`)}`, "http 2 GET /a?b 0 ");
  assert.equal(`${await curl("--http2", `${plain}/a?b`)}`, "http 1.1 GET /a?b 0 ");
});

test("curl agrees on HTTP/2 over TLS", async (t) => {
  if (!needs(t, "curl")) return;
  const { tls } = await serving(t);
  assert.equal(`${await curl("--http2", `${tls}/`)}`, "https 2 GET / 0 ");
  assert.equal(`${await curl("--http1.1", `${tls}/`)}`, "https 1.1 GET / 0 ");
});

for (const where of ["plain", "tls"] as const) {
  test(`curl sends and takes megabytes (${where})`, async (t) => {
    if (!needs(t, "curl")) return;
    const url = (await serving(t))[where];
    const way = where === "plain" ? "--http2-prior-knowledge" : "--http2";
    const seen = await curl(way, "--data-binary", `@${file}`, `${url}/up`);
    assert.match(`${seen}`, new RegExp(`^https? 2 POST /up ${uploaded}$`));
    assert.equal(digestOf(await curl(way, `${url}/large`)), digestOf(body));
  });
}

test("nghttp asks many things at once", async (t) => {
  if (!needs(t, "nghttp")) return;
  const { plain } = await serving(t);
  const urls = Array.from({ length: 20 }, (_, i) => `${plain}/${i}`);
  const seen = `${await run("nghttp", ...urls)}`;
  for (let i = 0; i < 20; i++) assert.ok(seen.includes(`http 2 GET /${i} 0`), `the answer to /${i}`);
});

test("h2load gets an answer to everything it asks, on many streams of many connections", async (t) => {
  if (!needs(t, "h2load")) return;
  const { plain, tls } = await serving(t);
  for (const url of [plain, tls]) {
    const seen = `${await run("h2load", "-n", "2000", "-c", "10", "-m", "50", `${url}/`)}`;
    assert.match(seen, /2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout/);
  }
});

const HTTPX = `
import asyncio, sys, hashlib, httpx

async def main(url, ca):
    async with httpx.AsyncClient(http1=False, http2=True, verify=ca, timeout=50) as client:
        answers = await asyncio.gather(*(client.get(f"{url}/{i}") for i in range(50)))
        assert [a.text.split()[3] for a in answers] == [f"/{i}" for i in range(50)]
        assert {a.http_version for a in answers} == {"HTTP/2"}
        body = b"0123456789abcdefghij" * 150_000
        print((await client.post(f"{url}/up", content=body)).text)
        print(hashlib.sha256((await client.get(f"{url}/large")).content).hexdigest())

asyncio.run(main(*sys.argv[1:]))
`;

for (const where of ["plain", "tls"] as const) {
  test(`httpx asks at once, sends and takes megabytes (${where})`, async (t) => {
    if (!needs(t, "py:httpx", "py:h2")) return;
    const url = (await serving(t))[where];
    const seen = `${await run(VENV_PYTHON, "-c", HTTPX, url, authority.ca)}`.split("\n");
    assert.match(seen[0] ?? "", new RegExp(`^https? 2 POST /up ${uploaded}$`));
    assert.equal(seen[1], digestOf(body));
  });
}
