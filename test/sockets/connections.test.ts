// What the listeners of all protocols leave to `Connections`: the limit, the clock, and the phases of the end.
import assert from "node:assert/strict";
import { createServer, Socket } from "node:net";
import { test } from "node:test";
import { type ManagedConnection, ManagedConnections } from "../../src/sockets/connections.ts";

/** A connection that notes the calls it gets, and ends at the call `last`. */
class Noting implements ManagedConnection {
  readonly inFlight = 0;
  place = -1;
  readonly told: string[] = [];
  readonly checked: Promise<number>;
  readonly #connections: ManagedConnections<Noting>;
  readonly #last: string;
  #seen: (now: number) => void = () => {};

  constructor(connections: ManagedConnections<Noting>, last: string) {
    this.#connections = connections;
    this.#last = last;
    this.checked = new Promise((resolve) => {
      this.#seen = resolve;
    });
  }

  checkDeadlines(now: number): void {
    this.#seen(now);
  }

  leave(): void {
    this.#note("leave");
  }

  stop(): void {
    this.#note("stop");
  }

  endEventStreams(): void {
    this.#note("endEvents");
  }

  forceClose(): void {
    this.#note("forceClose");
  }

  destroy(): void {
    this.#note("destroy");
  }

  #note(word: string): void {
    this.told.push(word);
    if (word === this.#last) this.#connections.gone(this);
  }
}

function connectionsOf(last: string, most = 10): ManagedConnections<Noting> {
  const connections: ManagedConnections<Noting> = new ManagedConnections(
    most,
    [40],
    () => new Noting(connections, last),
  );
  return connections;
}

const open = (connections: ManagedConnections<Noting>): Noting => connections.open(new Socket());

test("there are never more connections than the limit says, and one that ends makes room", () => {
  const connections = connectionsOf("stop", 2);
  const first = open(connections);
  assert.equal(connections.refusal(), undefined);
  open(connections);
  assert.equal(connections.refusal()?.code, "ERR_SALLYPORT_QUEUE_FULL");
  connections.gone(first);
  assert.equal(connections.refusal(), undefined);
  return connections.close(0);
});

test("one clock checks all connections, and says what time it is", async (t) => {
  // The clock alone keeps no process alive.
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  const connections = connectionsOf("stop");
  const [first, second] = [open(connections), open(connections)];
  const times = await Promise.all([first.checked, second.checked]);
  assert.deepEqual(times, [times[0], times[0]]);
  assert.ok(connections.now >= (times[0] as number));
  await connections.close(0);
});

test("a clock that stood still goes right from the first connection on", async (t) => {
  const connections = connectionsOf("stop");
  connections.gone(open(connections));
  t.mock.timers.enable({ apis: ["Date"], now: connections.now + 60_000 });
  open(connections);
  assert.equal(connections.now, Date.now());
  await connections.close(0);
});

test("leave() reaches all open connections, and new ones are still accepted", async () => {
  const connections = connectionsOf("stop");
  const connection = open(connections);
  connections.leave();
  assert.deepEqual(connection.told, ["leave"]);
  assert.equal(connections.refusal(), undefined);
  assert.ok(connections.leaving && !connections.closing);
  await connections.close(0);
});

test("the end is over at once where nothing is open, and nothing is opened any more", async () => {
  const connections = connectionsOf("stop");
  await connections.close(60_000);
  assert.equal(connections.refusal()?.code, "ERR_SALLYPORT_STOPPING");
});

for (const [last, told] of [
  ["stop", ["stop"]],
  ["forceClose", ["stop", "forceClose"]],
  ["destroy", ["stop", "forceClose", "destroy"]],
] as const)
  test(`the end comes in phases: a connection that ends by ${last} is told no more`, async () => {
    const connections = connectionsOf(last);
    const connection = open(connections);
    const closed = connections.close(0);
    assert.equal(connections.close(60_000), closed);
    await closed;
    assert.deepEqual(connection.told, told);
    assert.equal(connections.size, 0);
  });
