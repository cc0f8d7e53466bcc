// A file as the body of a response: whole, however often its client makes it wait, and with nothing left over from each wait.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Outcome, SallyportError } from "../../src/exchange/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { writeFile } from "../../src/workers/file.ts";
import { makeFolder } from "../kit/make-folder.ts";

const CONTENT = randomBytes(3_000_000);
const path = Buffer.from(join(makeFolder(), "content"));
writeFileSync(path, CONTENT);

/** Its client makes every piece wait for a turn of the loop. */
class SlowExchange extends RecordedExchange {
  override stalled = true;
  /** How many wait for its end. */
  closers = 0;

  override whenClosed(callback: (outcome: Outcome) => void): void {
    this.closers++;
    super.whenClosed(callback);
  }

  protected override sendChunk(chunk: Uint8Array): boolean {
    setImmediate(() => this.drained());
    return super.sendChunk(chunk);
  }
}

const started = (): SlowExchange => {
  const exchange = new SlowExchange();
  exchange.start({ status: 200, reason: "", headers: [] });
  return exchange;
};

test("a file reaches a slow client whole, and what waits for its end does not grow with each piece", async () => {
  const exchange = started();
  await writeFile(exchange, path, () => {});
  assert.ok(Buffer.concat(exchange.chunks).equals(CONTENT));
  assert.equal(exchange.closers, 1);
});

test("a client that leaves while a piece waits ends the reading", async () => {
  const exchange = started();
  const writing = writeFile(exchange, path, () => {});
  exchange.drained = () => exchange.lost(new SallyportError("CLIENT_LEFT", "the client left"));
  await writing;
  assert.equal(exchange.chunks.length, 1);
});
