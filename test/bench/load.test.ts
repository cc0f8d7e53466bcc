// What the load programs and the kernel say, and what the bench understands.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parsePaced } from "../../bench/paced.mjs";
import { memoryHeld, parseRollup, parseStat, part, processorTime, tree } from "../../bench/processes.mjs";
import { parseWrk, wrkArguments } from "../../bench/wrk.mjs";

const CALM = `Running 1s test @ http://127.0.0.1:8000/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.83ms    1.96ms  28.30ms   85.76%
    Req/Sec    21.64k     8.22k   42.06k    75.00%
  Latency Distribution
     50%  812.00us
     75%    1.01ms
     90%    2.00ms
     99%    1.20s 
  43312 requests in 2.01s, 3.22MB read
Requests/sec:  21529.94
Transfer/sec:      1.60MB
`;

const TROUBLED = CALM.replace(
  "Requests/sec",
  "  Socket errors: connect 1, read 20, write 300, timeout 4000\n  Non-2xx or 3xx responses: 50000\nRequests/sec",
);

test("wrk's report becomes requests, their rate, latencies in milliseconds and failures", () => {
  const seen = { requests: 43_312, rate: 21_529.94, p50: 0.812, p99: 1200, failures: 0 };
  assert.deepEqual(parseWrk(CALM), seen);
  assert.deepEqual(parseWrk(TROUBLED), { ...seen, failures: 54_321 });
});

test("a report that says nothing is no rate at all", () => {
  assert.deepEqual(parseWrk(""), { requests: 0, rate: 0, p50: undefined, p99: undefined, failures: 0 });
});

test("work that sends a body is a POST by wrk's script, other work is not", () => {
  const [get, post] = [{}, { path: "/up", upload: 1024 }].map((work) =>
    wrkArguments("http://h", work, 32, 3),
  );
  assert.deepEqual(get?.slice(0, 3), ["-t1", "-c32", "-d3"]);
  assert.equal(get?.at(-1), "http://h/");
  assert.deepEqual(post?.slice(-3), ["http://h/up", "--", "1024"]);
  assert.ok(post?.includes("-s") && !get?.includes("-s"));
});

test("a paced load gives milliseconds; one that broke off is a failure", () => {
  const text = "Answered: 29990\nFailed: 10\n50%: 55\n99%: 56240\n";
  assert.deepEqual(parsePaced(text), { requests: 29_990, failures: 10, p50: 0.055, p99: 56.24 });
  assert.deepEqual(parsePaced("Failed: a connection was closed (Success)\n"), { requests: 0, failures: 1 });
});

test("processor time is read past a program's name that holds brackets and spaces", () => {
  const line = "42 (a) b) (c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 7 3 20 0 1 0 12345 1000 200";
  assert.deepEqual(parseStat(line), { own: 3_000_000, ended: 100_000 });
});

test("memory is the proportional share", () => {
  assert.equal(parseRollup("Rss:      900 kB\nPss:      123 kB\nPss_Dirty:  50 kB\n"), 123 * 1024);
  assert.equal(parseRollup(""), 0);
});

test("what runs the application is the worker, what talks to the clients the server", () => {
  const parts = ["node", "nginx", "python3.13", "php-fpm8.2", "uwsgi"].map(part);
  assert.deepEqual(parts, ["server", "server", "worker", "worker", "server"]);
});

test("a server's processes are found with their children, and their time and memory are added up", async () => {
  const child = fork(fileURLToPath(new URL("fixtures/fork_once.mjs", import.meta.url)));
  try {
    const [grandchild] = await once(child, "message");
    const pids = tree(child.pid ?? 0).map(({ pid }) => pid);
    assert.deepEqual(pids, [child.pid, grandchild]);
    assert.deepEqual(
      tree(child.pid ?? 0, true).map(({ pid }) => pid),
      [grandchild],
    );
    const [time, memory] = [processorTime(tree(child.pid ?? 0)), memoryHeld(tree(child.pid ?? 0))];
    assert.ok(time.server > 0 && time.all >= time.server && time.worker === 0);
    assert.ok(memory.server > 1e6 && memory.all === memory.server);
  } finally {
    child.disconnect();
    await once(child, "exit");
  }
});

test("a process that has ended meanwhile counts nothing", () => {
  const gone = [{ pid: 2 ** 30, part: "server" as const }];
  assert.deepEqual(processorTime(gone), { server: 0, worker: 0, all: 0 });
  assert.deepEqual(memoryHeld(gone), { server: 0, worker: 0, all: 0 });
});
