// The web server's half of FastCGI at its limits: full queues, slow clients, applications that talk too much.
import assert from "node:assert/strict";
import { once } from "node:events";
import { rename } from "node:fs/promises";
import { tmpdir } from "node:os";
import { type TestContext, test } from "node:test";
import { silentLog } from "../../../../src/exchange/index.ts";
import { pairText } from "../../../../src/protocols/fastcgi/pairs.ts";
import { Backend } from "../../../../src/protocols/fastcgi/server/backend.ts";
import { Backends } from "../../../../src/protocols/fastcgi/server/backends.ts";
import { OutgoingRequest } from "../../../../src/protocols/fastcgi/server/request.ts";
import { RecordedExchange } from "../../../../src/testing/recorded.ts";
import { Upstream } from "../../../../src/upstreams/index.ts";
import { until } from "../../../kit/until.ts";
import { fullQueue } from "../fill-accept-queue.ts";
import { RawApplication, type StartedGateway, startGateway } from "../raw-application.ts";

const text = ({ body }: { body: Buffer }): string => body.toString("latin1");
/** What never comes must not keep the run waiting. */
const PATIENCE = { timeout: 60_000 };
const LINUX = { skip: process.platform !== "linux" && "EAGAIN is Linux's answer" };

test("an application whose queue of connections stays full is 503", LINUX, async (t) => {
  const { address } = await fullQueue(t);
  const { ask, logged } = await startGateway(t, { address });
  const answer = await ask();
  assert.equal(answer.status, 503);
  assert.match(text(answer), /ERR_SALLYPORT_UPSTREAM_BUSY/);
  await logged(/the queue of connections to unix:.* is full/);
});

test("a queue of connections that was full for a moment is waited for", LINUX, async (t) => {
  const { address, free } = await fullQueue(t);
  const { ask } = await startGateway(t, { address });
  const asked = ask();
  // By then it has met the full queue.
  await new Promise(setImmediate);
  free();
  assert.equal(text(await asked), "at last");
});

/** Requests to one multiplexed connection, with clients that have room for hardly anything. */
function sharing(t: TestContext, address: string, stallTimeout = 0): (exchange: RecordedExchange) => void {
  const log = silentLog;
  const backends = new Backends({ queue: 10, queueTimeout: 0, log, replaced: false });
  const options = {
    keep: true,
    connections: 1,
    idleTimeout: 60_000,
    exclusive: false,
    timeout: 0,
    valuesTimeout: 60_000,
    startTimeout: 0,
  };
  backends.add(new Backend(new Upstream(address), options, backends));
  t.after(() => backends.close(0));
  const buffer = { memory: 10_000, file: 0, directory: tmpdir() };
  return (exchange) => {
    const { method, path } = exchange.request;
    const params = pairText("REQUEST_METHOD", method) + pairText("PATH_INFO", path);
    const nothing = new Uint8Array(0);
    const request = { role: "responder", params, body: nothing, repeatable: true, file: undefined } as const;
    backends.submit(new OutgoingRequest(exchange, request, { log, timeout: 0, stallTimeout, buffer }));
  };
}

test(
  "a client that reads too slowly loses its response, not the connection that others share",
  PATIENCE,
  async (t) => {
    const application = await RawApplication.start(t, { values: { FCGI_MPXS_CONNS: "1" } });
    const submit = sharing(t, application.address);
    const slow = new RecordedExchange({ target: "/slow" });
    slow.stalled = true;
    const quick = new RecordedExchange({ target: "/quick" });
    for (const exchange of [slow, quick]) submit(exchange);
    const [one, two] = [await application.next(), await application.next()];
    assert.deepEqual([one.params.PATH_INFO, two.params.PATH_INFO], ["/slow", "/quick"]);
    const [lost, served] = [slow.done, quick.done];
    const within = 1_000_000;
    one.stdout(`Content-Type: text/plain\r\n\r\n${"x".repeat(within)}`);
    two.answer("quick");
    assert.equal(text(await served), "quick");
    assert.equal(slow.closed, false, "what is within the bound waits");
    one.stdout("x".repeat(200_000));
    const cut = await lost;
    assert.deepEqual([cut.status, cut.complete], [200, false]);
    assert.equal(cut.error?.code, "ERR_SALLYPORT_CLIENT_STALLED");
    await one.until(() => one.aborted);
    one.end();
    const after = new RecordedExchange();
    const answered = after.done;
    submit(after);
    (await application.next()).answer("next");
    assert.equal(text(await answered), "next");
    assert.equal(application.connections, 1);
  },
);

test("an application that waits for the client has not stopped", PATIENCE, async (t) => {
  const application = await RawApplication.start(t);
  const submit = sharing(t, application.address, 200);
  const slow = new RecordedExchange();
  slow.stalled = true;
  submit(slow);
  const request = await application.next();
  const answered = slow.done;
  request.stdout(`Content-Type: text/plain\r\n\r\n${"x".repeat(1_000_000)}`);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  assert.equal(slow.closed, false);
  slow.release();
  request.end();
  const { complete, body } = await answered;
  assert.deepEqual([complete, body.length], [true, 1_000_000]);
});

/** What the log says of a request that writes `pieces` to STDERR. */
async function noise(t: TestContext, pieces: string[]): Promise<StartedGateway["lines"]> {
  const application = await RawApplication.start(t);
  const { ask, lines } = await startGateway(t, { address: application.address });
  const asked = ask({ target: "/noisy" });
  const request = await application.next();
  for (const piece of pieces) request.stderr(piece);
  request.answer("fine");
  assert.equal(text(await asked), "fine");
  assert.ok(lines.every(({ fields }) => fields.target === "/noisy"));
  return lines;
}

test("STDERR beyond 256 KiB is dropped, and one line says how much it was", async (t) => {
  const line = `${"e".repeat(1023)}\n`;
  const lines = await noise(t, [line.repeat(200), line.repeat(55), `${"f".repeat(1123)}\n`, "more\n"]);
  assert.equal(lines.length, 257);
  assert.equal(lines[255]?.message, "f".repeat(1024));
  assert.equal(lines[256]?.message, "105 more bytes on STDERR were dropped");
});

test("STDERR beyond 10,000 lines is dropped, however short they are", async (t) => {
  const lines = await noise(t, ["\n".repeat(9_999), "last\nmore\n", "more\n"]);
  assert.equal(lines.length, 10_001);
  assert.equal(lines[9_999]?.message, "last");
  assert.equal(lines[10_000]?.message, "10 more bytes on STDERR were dropped");
});

test("what an application wrote to STDERR before it died is logged, also without a line end", async (t) => {
  const application = await RawApplication.start(t);
  const { ask, lines } = await startGateway(t, { address: application.address });
  const asked = ask();
  (await application.next()).stderr("out of memory").socket.end();
  assert.equal((await asked).status, 502);
  assert.ok(lines.some(({ message }) => message === "out of memory"));
});

test("a shared connection whose aborted request never ends closes with the last of its others, and makes room", async (t) => {
  const values = { FCGI_MPXS_CONNS: "1", FCGI_MAX_CONNS: "1" };
  const application = await RawApplication.start(t, { values });
  const { exchange, ask } = await startGateway(t, { address: application.address });
  const [leaving, slow] = [exchange({ target: "/hang" }), exchange({ target: "/slow" })];
  const hanging = await application.next();
  const answering = await application.next();
  leaving.hangUp();
  await hanging.until(() => hanging.aborted);
  // It is given up after a second; until then the connection serves on.
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  const answered = slow.done;
  answering.answer("slow");
  assert.equal(text(await answered), "slow");
  const asked = ask();
  (await application.next()).answer("next");
  assert.equal(text(await asked), "next");
  assert.equal(application.connections, 2);
});

test("of several applications, one that leaves requests unanswered is not preferred", async (t) => {
  const stuck = await RawApplication.start(t);
  const working = await RawApplication.start(t);
  const { ask } = await startGateway(t, { address: [stuck.address, working.address], timeout: 300 });
  const serve = async (): Promise<void> => {
    for (;;) (await working.next()).answer("working");
  };
  void serve();
  let status = 0;
  while (status !== 504) ({ status } = await ask());
  const request = await stuck.next();
  await request.until(() => request.aborted);
  if (!request.socket.readableEnded) await once(request.socket, "end");
  for (let i = 0; i < 6; i++) assert.equal(text(await ask()), "working");
});

test(
  "a request that is sent again waits for room anew: the time that the application had is no wait",
  PATIENCE,
  async (t) => {
    const application = await RawApplication.start(t);
    const { address } = application;
    const { exchange } = await startGateway(t, {
      address,
      connections: 1,
      queueTimeout: 2_000,
      idleTimeout: 60_000,
    });
    const first = exchange();
    const begun = await application.next();
    // It waits, and then has a connection that was kept.
    const second = exchange();
    await new Promise((resolve) => setTimeout(resolve, 300));
    begun.answer("first");
    const lost = await application.next();
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const third = exchange();
    lost.socket.destroy();
    // The third was before it at the next connection.
    const next = await application.next();
    await new Promise((resolve) => setTimeout(resolve, 500));
    next.answer("third");
    (await application.next()).answer("second");
    const answers = await Promise.all([first, second, third].map(({ done }) => done));
    assert.deepEqual(answers.map(text), ["first", "second", "third"]);
  },
);

test(
  "a request that one application has failed, and that waits for the other, does not keep the first one from its next",
  PATIENCE,
  async (t) => {
    const failing = await RawApplication.start(t);
    const full = await RawApplication.start(t);
    const { gateway, exchange } = await startGateway(t, {
      address: [failing.address, full.address],
      connections: 1,
      idleTimeout: 60_000,
    });
    const path = failing.address.replace("unix:", "");
    await rename(path, `${path}.away`);
    const slow = exchange();
    const inside = await full.next();
    const waits = exchange();
    await until(() => gateway.status?.().waiting === 1);
    await rename(`${path}.away`, path);
    const next = exchange();
    (await failing.next()).answer("next");
    assert.equal(text(await next.done), "next");
    inside.answer("slow");
    assert.equal(text(await slow.done), "slow");
    (await full.next()).answer("waited");
    assert.equal(text(await waits.done), "waited");
  },
);
