// Answers that a worker has finished and not sent: read by us when it dies, and while a long request keeps it busy.
import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Outbox } from "../../src/workers/outbox.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { pythons } from "../kit/pythons.ts";
import { serve } from "../kit/serve.ts";
import { APPS, startWsgi } from "../kit/start-wsgi.ts";
import { until } from "../kit/until.ts";

const PYTHON = fileURLToPath(new URL("../../python", import.meta.url));

/** Calls its outbox as the lines on standard input say. The other end of its link is never read: only the outbox is tested. */
const WORKER = `
import socket, sys
sys.path.insert(0, ${JSON.stringify(PYTHON)})
from sallyport.outbox import Outbox
ours, theirs = socket.socketpair()
outbox = Outbox(ours, 4, 65_536)
for line in sys.stdin:
    call, _, text = line.rstrip("\\n").partition(" ")
    getattr(outbox, call)(*([int(text) if call == "begin" else text.encode()] if text else []))
    print("done", flush=True)
`;

async function working(t: TestContext, python: string) {
  const outbox = Outbox.open(2) as Outbox;
  t.after(() => outbox.close());
  const child = spawn(python, ["-c", WORKER], {
    stdio: ["pipe", "pipe", "inherit", "ignore", outbox.descriptor],
  });
  t.after(() => child.kill("SIGKILL"));
  const { stdin, stdout } = child as ChildProcessByStdio<Writable, Readable, null>;
  const lines = createInterface(stdout)[Symbol.asyncIterator]();
  const tell = async (line: string): Promise<void> => {
    stdin.write(`${line}\n`);
    assert.equal((await lines.next()).value, "done");
  };
  const die = async (): Promise<void> => {
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  return { outbox, tell, die };
}

for (const { path, version } of pythons()) {
  test(`CPython ${version}: what was held and not sent is found when the worker is dead`, async (t) => {
    const { outbox, tell, die } = await working(t, path);
    await tell("send first");
    await tell("hold second");
    await tell("hold third");
    await tell("begin 7");
    await die();
    assert.deepEqual(outbox.last?.requests, [7]);
    assert.equal(outbox.unsent(5)?.toString(), "secondthird");
    assert.equal(outbox.unsent(8)?.toString(), "ondthird", "a part had arrived");
    assert.equal(outbox.unsent(16), undefined, "all of it had");
  });
}

const python = pythons()[0]?.path as string;

test("what was sent is not found again", async (t) => {
  const { outbox, tell, die } = await working(t, python);
  await tell("hold first");
  await tell("flush");
  await tell("hold second");
  await tell("send third");
  await die();
  assert.equal(outbox.unsent(16), undefined);
});

test("only bytes that were there at the last peek are taken from a living worker", async (t) => {
  const { outbox, tell } = await working(t, python);
  await tell("hold first");
  assert.equal(outbox.peek(0), undefined);
  await tell("hold second");
  assert.equal(outbox.peek(0)?.toString(), "first");
  assert.equal(outbox.peek(5)?.toString(), "second");
  assert.equal(outbox.peek(11), undefined);
  await tell("flush");
  await tell("hold third");
  assert.equal(outbox.peek(11), undefined);
  assert.equal(outbox.peek(11)?.toString(), "third");
});

test("what is on its way by the link is waited for", async (t) => {
  const { outbox, tell } = await working(t, python);
  await tell("hold first");
  outbox.peek(0);
  await tell("send second");
  await tell("hold third");
  outbox.peek(0);
  assert.equal(outbox.peek(0), undefined, "the first eleven bytes are not here");
  assert.equal(outbox.peek(11)?.toString(), "third");
});

test("a worker's death costs the request inside it, and no answer that was finished before", async (t) => {
  const server = await startWsgi(t, "awkward");
  const targets = Array.from({ length: 40 }, (_, i) => (i === 22 ? "/kill-self" : "/count"));
  const answers = await Promise.all(targets.map((target) => server.ask(target)));
  assert.deepEqual(
    answers.map(({ status }) => status),
    targets.map((target) => (target === "/kill-self" ? 502 : 200)),
  );
  assert.equal(server.records().length, 39, "each was run once");
});

test("with threads a death costs the requests inside them, and those that no thread had begun are run", async (t) => {
  const server = await startWsgi(t, "awkward", { threads: 2 });
  // Quick requests are sent ahead.
  for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 50 }, () => server.ask("/hello")));
  const hanging = server.ask("/hang");
  await until(() => server.records().includes("hanging"));
  const targets = ["/hello", "/hello", "/kill-self", ...Array.from({ length: 20 }, () => "/count")];
  const answers = await Promise.all(targets.map((target) => server.ask(target)));
  assert.deepEqual(
    answers.map(({ status }) => status),
    targets.map((target) => (target === "/kill-self" ? 502 : 200)),
  );
  assert.equal((await hanging).status, 502);
  assert.equal(server.records().filter((word) => word === "counted").length, 20, "each was run once");
});

for (const threads of [1, 2])
  test(`a worker with ${threads} threads that is killed while it waits costs no request`, async (t) => {
    const server = await startWsgi(t, "awkward", { threads });
    for (let i = 0; i < 5; i++) {
      const { pid } = await server.json("/process");
      process.kill(pid as number, "SIGKILL");
      // Sent before the death can be noticed.
      assert.equal((await server.ask("/count")).status, 200);
    }
    assert.equal(server.records().length, 5, "each was run once");
  });

for (const threads of [1, 2])
  test(`answers do not wait for long requests behind them: ${threads} threads`, async (t) => {
    const go = join(makeFolder(t), "go");
    const server = await startWsgi(t, "awkward", { threads });
    // Quick answers leave together.
    await Promise.all(Array.from({ length: 200 }, () => server.ask("/hello")));
    const quick = Array.from({ length: 3 }, () => server.ask("/hello"));
    const long = Array.from({ length: threads }, () => server.ask(`/wait-for?${go}`));
    for (const answer of await Promise.all(quick)) assert.equal(answer.status, 200);
    writeFileSync(go, "");
    for (const answer of await Promise.all(long)) assert.equal(answer.body.toString(), "it came\n");
  });

const WAITING = fileURLToPath(new URL("../apps/waiting", import.meta.url));

test("an answer does not wait for a request behind it that lets no other thread run", async (t) => {
  const folder = makeFolder(t);
  const server = await startWsgi(t, "hogging:app", { threads: 2, chdir: WAITING });
  let late = 0;
  for (let round = 0; round < 4; round++) {
    const go = join(folder, `${round}`);
    const quick = server.ask("/");
    const hog = server.exchange({ target: `/hog?${go}` });
    assert.equal((await quick).status, 200);
    if (hog.closed) late++;
    writeFileSync(go, "");
    assert.equal((await hog.done).status, 200);
  }
  // It may be the other thread that gets the long request, before the first one has answered: then nothing can run.
  assert.ok(late < 3, `${late} of 4 answers came after the long request`);
});

test("an embedded application's answer does not wait for a call behind it", async (t) => {
  const go = join(makeFolder(t), "go");
  const server = await serve(["waiting:app", "--embedded"], { cwd: WAITING });
  t.after(() => server.stop());
  const quick = fetch(`${server.url}/work?0.05`);
  await delay(5); // the other one must not come first
  const long = fetch(`${server.url}/wait?${go}`);
  await (await quick).text();
  writeFileSync(go, "");
  assert.equal((await long).status, 200);
});

for (const args of [[], ["--threads", "2", "--processes", "1"], ["--embedded"]])
  test(`items made at once do not wait for one that is long in coming: ${args[0] ?? "one by one"}`, async (t) => {
    const go = join(makeFolder(t), "go");
    const server = await serve(["awkward", ...args], { cwd: APPS });
    t.after(() => server.stop());
    // An embedded application holds the server until it yields.
    if (args.includes("--embedded")) writeFileSync(go, "");
    const response = await fetch(`${server.url}/burst-then-wait?${go}`);
    const seen: string[] = [];
    for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
      seen.push(Buffer.from(piece).toString());
      if (seen.join("") === "one\ntwo\nthree\n") writeFileSync(go, "");
    }
    assert.equal(seen.join(""), "one\ntwo\nthree\nfour\n");
  });

test("items that were made before the worker died come before the cut", async (t) => {
  const server = await startWsgi(t, "awkward");
  const cut = await server.ask("/burst-then-die");
  assert.equal(cut.error?.code, "ERR_SALLYPORT_WORKER_DIED");
  assert.equal(cut.body.toString(), "one\ntwo\nthree\n");
});

test("workers that are replaced leave no outbox open", async (t) => {
  const server = await startWsgi(t, "awkward");
  const before = openOutboxes();
  for (let i = 0; i < 3; i++) assert.equal((await server.ask("/kill-self")).status, 502);
  assert.equal((await server.ask("/hello")).status, 200);
  await until(() => openOutboxes() === before);
});

const openOutboxes = (): number =>
  readdirSync("/proc/self/fd").filter((fd) => /\/sallyport-.*deleted/.test(linkOf(fd))).length;

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}
