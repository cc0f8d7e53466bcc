// Whether bytes leave, whatever arrives meanwhile.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { SendWatch } from "../../src/sockets/send-watch.ts";
import { until } from "../kit/until.ts";

const MUCH = Buffer.alloc(64 * 2 ** 20);

async function pair(t: TestContext): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const near = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [far] = (await once(server, "connection")) as [Socket];
  t.after(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return [near, far];
}

test("a peer that reads nothing has stalled after the timeout, though it sends", async (t) => {
  const [near, far] = await pair(t);
  near.resume();
  near.write(MUCH);
  const watch = new SendWatch(near, 100);
  assert.equal(watch.stalled(1_000_000), false);
  watch.start(1_000);
  watch.start(5_000);
  let stalled = false;
  // The kernel still takes some of it.
  for (let now = 2_000; !stalled; now += 100) {
    far.write("x");
    await new Promise((resolve) => setTimeout(resolve, 20));
    stalled = watch.stalled(now);
  }
  assert.ok(near.writableLength > 0);
  watch.stop();
  assert.equal(watch.stalled(1_000_000), false);
});

test("with a timeout of 0 no peer has stalled, and without bytes that wait none has either", async (t) => {
  const [near] = await pair(t);
  const patient = new SendWatch(near, 0);
  const watch = new SendWatch(near, 100);
  watch.start(1_000);
  assert.equal(watch.stalled(2_000), false);
  near.write(MUCH);
  patient.start(1_000);
  // It was stopped when it had nothing to wait for.
  assert.deepEqual([patient.stalled(1_000_000), watch.stalled(1_000_000)], [false, false]);
});

test("each part of a large write that leaves renews the timeout", async (t) => {
  const [near, far] = await pair(t);
  let read = 0;
  near.write(MUCH);
  const watch = new SendWatch(near, 100);
  far.on("data", (chunk: Buffer) => {
    read += chunk.length;
    far.pause();
  });
  for (let now = 1_000; read < MUCH.length / 2; now += 1_000) {
    watch.start(now - 1_000);
    const before = read + 2 ** 23;
    while (read < before) {
      far.resume();
      await new Promise(setImmediate);
    }
    assert.equal(watch.stalled(now), false);
  }
  assert.equal(near.writableLength, MUCH.length);
  await until(() => read > 0);
});
