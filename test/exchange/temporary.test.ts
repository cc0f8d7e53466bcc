// What a full disk does to temporary files: it takes a part of a block and says so by its count alone, or refuses.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { after, before, mock, test } from "node:test";
import { PushedBody, type SallyportError } from "../../src/exchange/index.ts";
import { ResponseBuffer } from "../../src/exchange/response-buffer.ts";
import { spool } from "../../src/exchange/spool.ts";
import { TemporaryFile } from "../../src/exchange/temporary.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { makeFolder } from "../kit/make-folder.ts";

type Write = (bytes: Uint8Array, from: number, length: number, at: number) => Promise<unknown>;

let handles: FileHandle;
let write: Write;
before(async () => {
  const any = await open("/dev/null");
  await any.close();
  handles = Object.getPrototypeOf(any);
  write = handles.write as unknown as Write;
});
after(() => mock.reset());

/** Has every write take `most` bytes at the most; where it would take none, it is refused as by a full disk. */
function roomFor(most: () => number, refused = true): void {
  mock.method(handles, "write", function (this: FileHandle, bytes: Uint8Array, from = 0, length = 0, at = 0) {
    const size = Math.min(length || bytes.length - from, most());
    if (size > 0 || !refused) return write.call(this, bytes, from, size, at);
    return Promise.reject(
      Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" }),
    );
  } as never);
}

const SENT = Buffer.from(Array.from({ length: 60_000 }, (_, i) => 1 + (i % 251)));

function slowClient(): { exchange: RecordedExchange; buffer: ResponseBuffer } {
  const exchange = new RecordedExchange();
  exchange.start({ status: 200, reason: "", headers: [] });
  exchange.stalled = true;
  const limits = { memory: 0, file: 1e9, directory: tmpdir() };
  return { exchange, buffer: new ResponseBuffer(exchange, () => {}, limits) };
}

function upload(): PushedBody {
  const body = new PushedBody(undefined, { pause() {}, resume() {} });
  for (let at = 0; at < SENT.length; at += 20_000) body.push(SENT.subarray(at, at + 20_000));
  body.end();
  return body;
}

test("a download that waited on a disk which was full for a moment holds no bytes of zero", async () => {
  roomFor(() => 4096);
  const { exchange, buffer } = slowClient();
  for (let at = 0; at < SENT.length; at += 20_000) buffer.push(SENT.subarray(at, at + 20_000));
  buffer.end();
  await new Promise((resolve) => setTimeout(resolve, 50));
  exchange.release();
  const { body, complete } = await exchange.done;
  assert.equal(complete, true);
  assert.ok(SENT.equals(body));
});

test("a download for which the disk has no room is cut, and the log names the file", async () => {
  let room = 30_000;
  roomFor(() => {
    const taken = Math.min(room, 4096);
    room -= taken;
    return taken;
  });
  const { exchange, buffer } = slowClient();
  for (let at = 0; at < SENT.length; at += 20_000) buffer.push(SENT.subarray(at, at + 20_000));
  buffer.end();
  const { complete, error } = await exchange.done;
  assert.equal(complete, false);
  assert.equal(error?.code, "ERR_SALLYPORT_DISK_FULL");
  assert.ok(error.message.includes(`${tmpdir()}/sallyport-`), error.message);
});

test("an upload arrives whole where writes are short", async () => {
  roomFor(() => 1000);
  const spooled = await spool(upload(), { memory: 1000, limit: 1e9 });
  const pieces: Uint8Array[] = [];
  const body = spooled.body();
  for (let piece = await body.read(); piece; piece = await body.read()) pieces.push(piece);
  assert.ok(SENT.equals(Buffer.concat(pieces)));
  await spooled.dispose();
});

const REFUSALS: readonly [how: string, refused: boolean, code: string, status: number][] = [
  ["has no room", true, "ERR_SALLYPORT_DISK_FULL", 507],
  ["takes nothing and gives no reason", false, "ERR_SALLYPORT_INTERNAL", 500],
];

for (const [how, refused, code, status] of REFUSALS) {
  test(`an upload is refused where the disk ${how}: the log names the file, and nobody waits for ever`, async () => {
    roomFor(() => 0, refused);
    await assert.rejects(spool(upload(), { memory: 1000, limit: 1e9 }), (error: SallyportError) => {
      assert.deepEqual([error.code, error.status], [code, status]);
      return error.message.includes(`${tmpdir()}/sallyport-`);
    });
  });
}

test("a file that cannot be shown to the other process's group is not left behind, nor its handle", async (t) => {
  const directory = makeFolder(t);
  let handle: FileHandle | undefined;
  mock.method(handles, "chown", function (this: FileHandle) {
    handle = this;
    return Promise.reject(new Error("EPERM: operation not permitted"));
  });
  await assert.rejects(TemporaryFile.named(directory, 1), {
    code: "ERR_SALLYPORT_INTERNAL",
    message: /EPERM/,
  });
  assert.deepEqual(readdirSync(directory), []);
  assert.equal(handle?.fd, -1, "closed");
});
