import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { RecordedExchange, type RecordedRequest } from "../../../src/testing/recorded.ts";
import { makeFolder } from "../../kit/make-folder.ts";
import { gone, isAlive } from "../../kit/processes.ts";
import { until } from "../../kit/until.ts";
import { ask, headerOf, keptLog, startCgi } from "./start-cgi.ts";

for (const [why, name, env, code] of [
  ["prints nothing", "say", { SAY: "" }, "CGI_NO_HEADER"],
  ["prints no blank line", "say", { SAY: "Content-Type: text/plain\\n" }, "CGI_NO_HEADER"],
  ["prints only text", "say", { SAY: "hello" }, "CGI_NO_HEADER"],
  ["prints a traceback where its header should be", "say", { SAY: "Traceback\\n\\n" }, "CGI_BAD_HEADER"],
  ["puts a byte 0 into its header", "say", { SAY: "X-A: a\\0000b\\n\\n" }, "CGI_BAD_HEADER"],
  ["has a Status 20x", "say", { SAY: "Status: 20x\\n\\n" }, "CGI_BAD_HEADER"],
  ["exits before it answers", "fail", {}, "CGI_NO_HEADER"],
  ["writes a header without end", "endless_header", {}, "CGI_HEADER_TOO_LARGE"],
] as const) {
  test(`C6, C8, C10: a program that ${why} is 502`, async (t) => {
    const { status, body, complete } = await ask(await startCgi(t, name, { env }));
    assert.deepEqual([status, complete], [502, true]);
    assert.match(String(body), new RegExp(`ERR_SALLYPORT_${code}`));
  });
}

for (const [what, long] of [
  ["text", "x".repeat(140_000)],
  ["other bytes", "\xff".repeat(140_000)],
] as const)
  test(`a header of ${what} that is too long for a variable of a program is the client's fault: 431`, async (t) => {
    const gateway = await startCgi(t, "show");
    const { status, body } = await ask(gateway, { headers: ["X-Long", long] });
    assert.equal(status, 431);
    assert.match(String(body), /ERR_SALLYPORT_HEADERS_TOO_LARGE/);
    assert.equal((await ask(gateway, { headers: ["X-Long", long.slice(0, 131_000)] })).status, 200);
  });

test("a configured variable that is too long for a program is not the client's fault: 502", async (t) => {
  const gateway = await startCgi(t, "show", { env: { LONG: "x".repeat(140_000) } });
  const { status, body } = await ask(gateway, { headers: ["X-Short", "x"] });
  assert.equal(status, 502);
  assert.match(String(body), /ERR_SALLYPORT_SPAWN_FAILED/);
});

test("C6, L5: why a program gave no answer is in the log, with its last words, escaped", async (t) => {
  const log = keptLog();
  await ask(await startCgi(t, "fail", { log }), { log });
  assert.deepEqual(log.lines, [
    "cannot go on: \\x1b[31mno disk",
    "fail exited with status 3 without an answer: the program wrote nothing",
  ]);
  assert.deepEqual(log.details, ["cannot go on: \\x1b[31mno disk"]);
});

test("C9: a body shorter than its Content-Length is a visible cut", async (t) => {
  const gateway = await startCgi(t, "say", { env: { SAY: "Content-Length: 10\\n\\nshort" } });
  const { complete, error } = await ask(gateway);
  assert.deepEqual([complete, error?.code], [false, "ERR_SALLYPORT_APP_SHORT_BODY"]);
});

test("C9: a body longer than its Content-Length is cut to measure, and chunked framing is not believed", async (t) => {
  const gateway = await startCgi(t, "say", {
    env: { SAY: "Transfer-Encoding: chunked\\nContent-Length: 3\\n\\nhello" },
  });
  const { complete, headers, body } = await ask(gateway);
  assert.deepEqual([complete, headers, String(body)], [true, ["Content-Length", "3"], "hel"]);
});

test("C13: a megabyte on standard error before the answer does not block, and is logged", async (t) => {
  const log = keptLog();
  const { status, body } = await ask(await startCgi(t, "flood_stderr", { log }));
  assert.deepEqual([status, String(body)], [200, "at last"]);
  const complaints = log.lines.filter((line) => line === "a complaint");
  assert.equal(complaints.length, 10_000);
  assert.match(log.lines.at(-1) ?? "", /the rest is dropped/);
});

test("C14: when the client leaves midway the program is ended", async (t) => {
  const gateway = await startCgi(t, "hang_midway", { killGrace: 60_000 });
  const exchange = new RecordedExchange();
  gateway.handle(exchange);
  const pid = Number(await headerOf(exchange, "X-Pid"));
  exchange.hangUp();
  await gone(pid);
});

test("C14: a program that ignores TERM is killed after the grace", async (t) => {
  const gateway = await startCgi(t, "ignore_term", { killGrace: 100 });
  const exchange = new RecordedExchange();
  gateway.handle(exchange);
  const pid = Number(await headerOf(exchange, "X-Pid"));
  exchange.hangUp();
  await gone(pid);
});

test("C14: a client that leaves before the answer frees the slot for the next", async (t) => {
  const gateway = await startCgi(t, ".", { processes: 1, killGrace: 60_000 });
  const first = new RecordedExchange({ target: "/hang" });
  gateway.handle(first);
  const second = ask(gateway, { target: "/below/show_place" });
  await delay(50);
  first.hangUp();
  assert.equal((await second).status, 200);
});

test("C14: a program that streams for ever ends with its client", async (t) => {
  const gateway = await startCgi(t, "stream_forever");
  const exchange = new RecordedExchange();
  gateway.handle(exchange);
  const pid = Number(await headerOf(exchange, "X-Pid"));
  exchange.hangUp();
  await gone(pid);
});

test("a HEAD of a program that streams for ever is answered, and the program ended", async (t) => {
  const gateway = await startCgi(t, "stream_forever", { timeout: 200 });
  const exchange = new RecordedExchange({ method: "HEAD" });
  gateway.handle(exchange);
  assert.equal((await exchange.done).complete, true);
  await gone(Number(await headerOf(exchange, "X-Pid")));
});

test("C15: a grandchild that holds the output does not hold the response, and is ended", async (t) => {
  const exchange = new RecordedExchange();
  (await startCgi(t, "leave_grandchild")).handle(exchange);
  const { complete, body } = await exchange.done;
  assert.deepEqual([complete, String(body)], [true, "all there is"]);
  await gone(Number(await headerOf(exchange, "X-Pid")));
});

test("C15: when the program failed and its output has no end, the response is cut", async (t) => {
  const gateway = await startCgi(t, "leave_grandchild");
  const { complete, error } = await ask(gateway, { target: "/?1" });
  assert.deepEqual([complete, error?.code], [false, "ERR_SALLYPORT_WORKER_DIED"]);
});

test("a program killed midway is a visible cut, and the log names the signal", async (t) => {
  const log = keptLog();
  const { complete, error, body } = await ask(await startCgi(t, "die_midway"), { log });
  assert.deepEqual([complete, error?.code, String(body)], [false, "ERR_SALLYPORT_WORKER_DIED", "half of"]);
  assert.match(log.lines.join(), /die_midway was killed by SIGSEGV in the middle/);
});

test("an exit status other than 0 after a whole response is only logged", async (t) => {
  const log = keptLog();
  const gateway = await startCgi(t, "say", { log, env: { SAY: "X-A: b\\n\\nbody", EXIT: "4" } });
  const { complete, body } = await ask(gateway);
  assert.deepEqual([complete, String(body)], [true, "body"]);
  assert.deepEqual(log.lines, ["say exited with status 4 after its response"]);
});

test("a program that never answers is 504, and is ended", async (t) => {
  const gateway = await startCgi(t, "hang", { timeout: 100 });
  assert.equal((await ask(gateway)).status, 504);
});

test("a program that answers and goes on too long is cut at the total timeout", async (t) => {
  const exchange = new RecordedExchange();
  (await startCgi(t, "hang_midway", { totalTimeout: 300 })).handle(exchange);
  const { complete, error } = await exchange.done;
  assert.deepEqual([complete, error?.code], [false, "ERR_SALLYPORT_APP_TIMEOUT"]);
  await gone(Number(await headerOf(exchange, "X-Pid")));
});

test("a timeout of 0 is no limit: neither until the header, nor for work after a whole response", async (t) => {
  const folder = makeFolder(t);
  const file = join(folder, "here");
  const slow = await startCgi(t, "wait_for_file", { timeout: 0 });
  const answer = ask(slow, { target: `/?${file}` });
  await delay(300);
  await writeFile(file, "");
  assert.equal(String((await answer).body), "it is here");
  const program = join(folder, "goes_on");
  const done = join(folder, "done");
  const script = `#!/bin/sh\nprintf 'Content-Length: 2\\n\\nok'\nsleep 0.5\n: > ${done}\n`;
  await writeFile(program, script, { mode: 0o755 });
  assert.equal(String((await ask(await startCgi(t, ".", { program, timeout: 0 }))).body), "ok");
  await until(() => existsSync(done));
});

test("a program that does not read a large body harms nobody", async (t) => {
  const gateway = await startCgi(t, "ignore_body");
  const { status, body } = await ask(gateway, { method: "POST", body: Buffer.alloc(5_000_000) });
  assert.deepEqual([status, String(body)], [200, "unread"]);
});

test("ten megabytes go through a program and come back, while input waits for output", async (t) => {
  const bytes = Buffer.alloc(10_000_000, "0123456789abcdef-");
  const { body, complete } = await ask(await startCgi(t, "echo_body"), { method: "POST", body: bytes });
  assert.ok(complete && bytes.equals(body));
});

const OK = { target: "/below/show_place" } satisfies RecordedRequest;

test("requests beyond the processes wait, beyond the queue get 503 with Retry-After, and leave the queue with their client", async (t) => {
  const gateway = await startCgi(t, ".", { processes: 1, queue: 1 });
  const first = new RecordedExchange({ target: "/hang" });
  gateway.handle(first);
  await delay(50);
  const left = new RecordedExchange(OK);
  gateway.handle(left);
  await delay(20);
  const refused = await ask(gateway, OK);
  assert.equal(refused.status, 503);
  assert.ok(refused.headers.includes("Retry-After"));
  left.hangUp();
  const waiting = ask(gateway, OK);
  await delay(20);
  first.hangUp();
  assert.equal((await waiting).status, 200);
});

for (const queueTimeout of [50, 0])
  test(`a request that waits too long for a slot gets 503: ${queueTimeout} ms`, async (t) => {
    const gateway = await startCgi(t, ".", { processes: 1, queueTimeout });
    gateway.handle(new RecordedExchange({ target: "/hang" }));
    await delay(50);
    const { status, body } = await ask(gateway, OK);
    assert.equal(status, 503);
    assert.match(String(body), /QUEUE_TIMEOUT/);
  });

test("a hundred requests through four processes are all answered", async (t) => {
  const gateway = await startCgi(t, ".", { processes: 4 });
  const answers = await Promise.all(Array.from({ length: 100 }, () => ask(gateway, OK)));
  assert.ok(answers.every(({ status, complete }) => status === 200 && complete));
});

test("close lets a program finish within the grace, and refuses new requests meanwhile", async (t) => {
  const gateway = await startCgi(t, ".");
  const file = join(makeFolder(t), "go");
  const answer = ask(gateway, { target: `/wait_for_file?${file}` });
  await delay(50);
  const closed = gateway.close?.(60_000);
  assert.equal((await ask(gateway, OK)).status, 503);
  await writeFile(file, "");
  assert.equal(String((await answer).body), "it is here");
  await closed;
});

test("close ends what does not finish within the grace", async (t) => {
  const gateway = await startCgi(t, "ignore_term");
  const exchange = new RecordedExchange();
  gateway.handle(exchange);
  const pid = Number(await headerOf(exchange, "X-Pid"));
  await gateway.close?.(10);
  assert.equal((await exchange.done).error?.code, "ERR_SALLYPORT_STOPPING");
  assert.ok(!isAlive(pid));
});
