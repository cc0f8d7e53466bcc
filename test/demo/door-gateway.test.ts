// A door that cannot be opened, and the processes that a door is known to have.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DoorGateway } from "../../src/demo/door-gateway.ts";
import { type Gateway, SallyportError, statusInProcess } from "../../src/exchange/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";

const EMBEDDED = { id: "embedded", wall: "call", interface: "wsgi" } as const;
const CGI = { id: "cgi", wall: "process", interface: "cgi" } as const;

const answering = (given: Partial<Gateway> = {}): Gateway => ({
  handle: (exchange) => exchange.respond({ status: 200, reason: "", headers: [] }, "hello"),
  status: () => statusInProcess("WSGI"),
  ...given,
});

const HEAD = { status: 200, reason: "", headers: [] };
const OUTCOME = { complete: true, error: undefined, status: 200, bytes: 0 };

test("where no libpython can be had the door is closed and says why; starting it does not fail", async () => {
  const why = "python3 has no shared library beside it: install libpython3.11";
  const make = async (): Promise<Gateway> =>
    answering({ start: () => Promise.reject(new SallyportError("PYTHON_NOT_FOUND", why)) });
  const door = new DoorGateway(EMBEDDED, make, undefined);
  await door.start();
  assert.equal(door.why, why);
  const exchange = new RecordedExchange();
  door.handle(exchange);
  const { status, body } = await exchange.done;
  assert.equal(status, 503);
  assert.match(body.toString(), /ERR_SALLYPORT_NOT_READY/);
});

test("a gateway that cannot even be made closes its door as well", async () => {
  const make = (): Promise<Gateway> => Promise.reject(new SallyportError("APP_IMPORT", "no such module"));
  const door = new DoorGateway(EMBEDDED, make, undefined);
  await door.start();
  assert.equal(door.why, "no such module");
  await door.close(0);
});

test("an application in the server's process has started none, and its process is ours", async () => {
  const door = new DoorGateway(EMBEDDED, async () => answering(), undefined);
  await door.start();
  const trace = door.trace(true);
  trace.handedOver();
  trace.head(HEAD);
  assert.equal(trace.process?.pid, process.pid);
  assert.equal(trace.process?.answered, 1);
  assert.equal(trace.process?.started, 0);
  assert.deepEqual(door.pids, [process.pid]);
});

test("each hand-over of CGI is a process that was started, of one request", async () => {
  const door = new DoorGateway(CGI, async () => answering(), undefined);
  await door.start();
  for (const number of [1, 2, 3]) {
    const trace = door.trace(true);
    trace.handedOver(process.ppid);
    trace.head(HEAD);
    trace.ended(OUTCOME);
    const { pid, answered, started } = trace.process ?? assert.fail();
    assert.deepEqual({ pid, answered, started }, { pid: process.ppid, answered: 1, started: number });
  }
});

test("what is not shown is counted, and nothing is asked about its process", async () => {
  const door = new DoorGateway(CGI, async () => answering(), undefined);
  await door.start();
  const trace = door.trace(false);
  trace.handedOver(process.ppid);
  trace.head(HEAD);
  assert.equal(trace.process, undefined);
  assert.equal(door.started, 1);
});

test("of many processes that came and went, the first are forgotten", async () => {
  const door = new DoorGateway(
    { id: "wsgi", wall: "socket", interface: "wsgi" },
    async () => answering(),
    undefined,
  );
  const handed = (pid: number): number | undefined => door.handedOver(pid)?.answered;
  assert.deepEqual([handed(1), handed(1)], [1, 2]);
  for (let pid = 2; pid <= 65; pid++) handed(pid);
  assert.equal(handed(65), 2, "it is remembered");
  assert.equal(handed(1), 1, "it is not");
});

test("a request that is marked twice, or whose client has left, is not counted again", async () => {
  const door = new DoorGateway(
    { id: "wsgi", wall: "socket", interface: "wsgi" },
    async () => answering(),
    undefined,
  );
  const twice = door.trace(false);
  twice.handedOver(1);
  twice.handedOver(1);
  const left = door.trace(false);
  left.ended(OUTCOME);
  left.handedOver(1);
  assert.equal(door.handedOver(1)?.answered, 2);
});
