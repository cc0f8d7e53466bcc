// Slow clients, endless applications, and many requests at once in one worker (edge case A9).
import assert from "node:assert/strict";
import { test } from "node:test";
import { startAsgi } from "../../kit/start-asgi.ts";
import { settled, until } from "../../kit/until.ts";

const lastOf = (records: readonly string[]): number =>
  Number(records.findLast((line) => line.startsWith("sent "))?.slice(5) ?? 0);

/** Bytes that may be on their way: the window of the link, the buffers of the sockets, and one piece. */
const BOUND = 4_000_000;

test("an endless response to a client that does not read is made to wait, in bounded memory (A9)", async (t) => {
  const server = await startAsgi(t);
  const slow = server.exchange("/endless");
  slow.stalled = true;
  await until(() => slow.chunks.length > 0);
  const sent = await settled(() => lastOf(server.records()));
  assert.ok(sent > 0 && sent < 600_000, `${sent} bytes were sent to a client that takes none`);
  assert.equal(slow.chunks.length, 1);
  slow.release();
  await until(() => lastOf(server.records()) > 3 * sent);
  slow.hangUp();
  await server.recorded(/^left/);
});

test("the same over a connection: the application waits, others are served, and it goes on when the client reads", async (t) => {
  const server = await startAsgi(t);
  const client = await server.client("/endless");
  client.socket.pause();
  const sent = await settled(() => lastOf(server.records()));
  // The kernel's buffers of both connections come on top.
  assert.ok(sent < BOUND * 4, `${sent} bytes were sent to a client that reads none`);
  assert.equal((await server.ask("/hello")).status, 200);
  client.socket.resume();
  await until(() => lastOf(server.records()) > sent + BOUND);
  client.socket.destroy();
  await server.recorded(/^left/);
});

test("a thousand requests are under way in one worker at the same time, and all are answered", async (t) => {
  const server = await startAsgi(t);
  const asked = Array.from({ length: 1000 }, () => server.ask(`/never-receive?file=${server.file}`));
  await until(() => server.records().filter((line) => line === "running").length === 1000);
  server.touch();
  const answers = await Promise.all(asked);
  assert.ok(answers.every(({ status, body }) => status === 200 && body.toString() === "done\n"));
});

test("one request more than `concurrency` waits in the queue, and one more than that gets 503", async (t) => {
  const server = await startAsgi(t, { concurrency: 2, queue: 1 });
  const held = Array.from({ length: 2 }, () => server.ask(`/never-receive?file=${server.file}`));
  await until(() => server.records().filter((line) => line === "running").length === 2);
  const waiting = server.ask("/hello");
  assert.equal((await server.ask("/hello")).status, 503);
  server.touch();
  assert.deepEqual(
    (await Promise.all([...held, waiting])).map(({ status }) => status),
    [200, 200, 200],
  );
});

test("what the application does after its response delays no other request", async (t) => {
  const server = await startAsgi(t, { timeout: 300 });
  assert.equal((await server.ask(`/background?file=${server.file}`)).complete, true);
  assert.equal((await server.ask("/hello")).status, 200);
  await new Promise((resolve) => setTimeout(resolve, 700));
  server.touch();
  await server.recorded(/background/);
});
