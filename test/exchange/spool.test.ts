import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PushedBody, type RequestBody, SallyportError, spool, WholeBody } from "../../src/exchange/index.ts";

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "spool-test-"));
});
after(() => rm(directory, { recursive: true }));

function pushed(chunks: readonly Uint8Array[], length?: number): PushedBody {
  const body = new PushedBody(length, { pause() {}, resume() {} });
  for (const chunk of chunks) body.push(chunk);
  return body;
}

const PIECES = Array.from({ length: 50 }, (_, i) => Buffer.alloc(i * 997, i));
const LARGE = Buffer.concat(PIECES);

function large(): PushedBody {
  const body = pushed(PIECES);
  body.end();
  return body;
}

async function drain(body: RequestBody): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for (let chunk = await body.read(); chunk; chunk = await body.read()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const code = (name: string) => (error: unknown) =>
  error instanceof SallyportError && error.code === `ERR_SALLYPORT_${name}`;
const nothingLeft = async () => assert.deepEqual(await readdir(directory), []);

test("a small body stays in memory, and trailers are kept", async () => {
  const body = pushed([Buffer.from("hel"), Buffer.from("lo")]);
  body.end(["X-Sum", "1"]);
  const spooled = await spool(body, { memory: 5, limit: 5, directory });
  assert.deepEqual([spooled.length, String(spooled.whole), spooled.file], [5, "hello", undefined]);
  assert.deepEqual(spooled.trailers, ["X-Sum", "1"]);
  assert.equal(String(await drain(spooled.body())), "hello");
  await nothingLeft();
});

test("a body that is already whole is not copied", async () => {
  const whole = Buffer.from("hello");
  assert.equal((await spool(new WholeBody(whole), { limit: 5, memory: 1 })).whole, whole);
});

test("a large body goes to a file without a name, and reads back twice", async () => {
  const spooled = await spool(large(), { memory: 10_000, limit: 1e9, directory });
  await nothingLeft();
  assert.deepEqual([spooled.whole, spooled.file, spooled.length], [undefined, undefined, LARGE.length]);
  for (const reader of [spooled.body(), spooled.body()]) assert.ok(LARGE.equals(await drain(reader)));
  await spooled.dispose();
  await spooled.dispose();
});

test("a large body that another process will open has a path until it is disposed of", async () => {
  const place = join(directory, "shared");
  await mkdir(place);
  const spooled = await spool(large(), { memory: 10_000, limit: 1e9, shared: async () => place });
  assert.ok(LARGE.equals(await readFile(spooled.file as string)));
  assert.equal((await stat(spooled.file as string)).mode & 0o777, 0o600);
  assert.ok(LARGE.equals(await drain(spooled.body())));
  await spooled.dispose();
  assert.deepEqual(await readdir(place), []);
  await rm(place, { recursive: true });
});

test("a body of a million tiny pieces holds no more memory than was allowed", async () => {
  const body = new PushedBody(undefined, { pause() {}, resume() {} });
  const spooling = spool(body, { memory: 1000, limit: 1e9, directory });
  for (let i = 0; i < 10_000; i++) {
    body.push(Buffer.from("0123456789"));
    if (i % 100 === 0) await null;
  }
  body.end();
  const spooled = await spooling;
  assert.equal(spooled.length, 100_000);
  assert.equal(String(await drain(spooled.body())), "0123456789".repeat(10_000));
  await spooled.dispose();
});

test("a body over the limit is refused, at once when its length was announced", async () => {
  const announced = pushed([], 11);
  await assert.rejects(spool(announced, { limit: 10, directory }), code("BODY_TOO_LARGE"));
  const surprising = pushed([Buffer.alloc(5), Buffer.alloc(5), Buffer.alloc(1)]);
  await assert.rejects(spool(surprising, { limit: 10, memory: 4, directory }), code("BODY_TOO_LARGE"));
  await nothingLeft();
});

test("a client that leaves midway leaves no file", async () => {
  const body = pushed([Buffer.alloc(5000)]);
  const spooling = spool(body, { limit: 1e9, memory: 100, directory });
  body.fail(new SallyportError("CLIENT_LEFT", "gone"));
  await assert.rejects(spooling, code("CLIENT_LEFT"));
  await nothingLeft();
});

test("a directory that cannot be written is an error of ours, not an exception of the file system", async () => {
  const body = pushed([Buffer.alloc(500)]);
  body.end();
  await assert.rejects(
    spool(body, { limit: 1e9, memory: 100, directory: join(directory, "no") }),
    code("INTERNAL"),
  );
});

test("reading after dispose is an error, never a short body", async () => {
  const body = pushed([Buffer.alloc(500)]);
  body.end();
  const spooled = await spool(body, { limit: 1e9, memory: 100, directory });
  const reader = spooled.body();
  await spooled.dispose();
  await assert.rejects(reader.read(), code("INTERNAL"));
});
