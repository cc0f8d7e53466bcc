// FastCGI processes that we start, whose number follows the requests, and that are replaced when they are old or large.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeFolder } from "../../../kit/make-folder.ts";
import { needs } from "../../../kit/needs.ts";
import { gone } from "../../../kit/processes.ts";
import { until } from "../../../kit/until.ts";
import { type StartedGateway, startGateway } from "../raw-application.ts";

type Options = Parameters<typeof startGateway>[1];

const BIN = fileURLToPath(new URL("../../../../bin/sallyport.js", import.meta.url));
const MB = 2 ** 20;

async function startPhp(t: TestContext, options: Options): Promise<StartedGateway> {
  // As a client's connection does: there may be no process at all.
  const awake = setInterval(() => {}, 60_000);
  t.after(() => clearInterval(awake));
  const root = makeFolder(t);
  writeFileSync(
    join(root, "pid.php"),
    "<?php usleep(intval($_SERVER['QUERY_STRING'] ?: 0)); echo getmypid();",
  );
  writeFileSync(
    join(root, "jump.php"),
    "<?php $kept = str_repeat('x', 400 << 20); sleep(30); echo strlen($kept);",
  );
  return startGateway(t, { command: ["php-cgi", "-d", "memory_limit=-1"], root, ...options });
}

const count = ({ gateway }: StartedGateway): number =>
  gateway.status?.().processes.filter(({ state }) => state === "idle" || state === "busy").length ?? 0;

const ask = (server: StartedGateway, target: string) => server.ask({ target });

test("php-cgi: a load that rises and falls has the processes rise and fall, and no request fails", async (t) => {
  if (!needs(t, "php-cgi")) return;
  const server = await startPhp(t, { processes: { min: 1, max: 3, idleTimeout: 1_000 } });
  assert.equal(count(server), 1);
  const pids = new Set<string>();
  const client = async (): Promise<void> => {
    while (count(server) < 3) {
      const { status, body } = await ask(server, "/pid.php?20000");
      assert.equal(status, 200);
      pids.add(body.toString());
    }
  };
  await Promise.all(Array.from({ length: 24 }, client));
  await until(() => count(server) === 1);
  assert.ok(pids.size <= 3, `${pids.size} processes`);
  await server.logged(/php-cgi grows from \d to \d processes: \d+ requests wait, the first for \d+ ms/);
  await server.logged(/php-cgi shrinks from 2 to 1 processes/);
  assert.equal((await ask(server, "/pid.php")).status, 200);
});

test("php-cgi: from none to one with the first request, and back to none", async (t) => {
  if (!needs(t, "php-cgi")) return;
  const server = await startPhp(t, { processes: { min: 0, max: 2, idleTimeout: 500 } });
  assert.equal(count(server), 0);
  const answers = await Promise.all([ask(server, "/pid.php"), ask(server, "/pid.php")]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200],
  );
  await until(() => count(server) === 0);
  await gone(Number(answers[0]?.body.toString()));
  assert.equal((await ask(server, "/pid.php")).status, 200);
});

test("php-cgi: after a reload that did not take over, a request has one process started, by the old configuration", async (t) => {
  if (!needs(t, "php-cgi")) return;
  const server = await startPhp(t, { processes: { min: 0, max: 2, idleTimeout: 200 } });
  const refuse = () => Promise.reject(new Error("another app could not be reloaded"));
  await assert.rejects(server.gateway.reload?.(refuse) as Promise<void>, /another app/);
  assert.equal((await ask(server, "/pid.php")).status, 200);
  assert.equal(server.lines.filter(({ message }) => / grows from 0 to 1 /.test(message)).length, 1);
});

test("php-cgi: bounds that change while a reload starts its processes hold for these", async (t) => {
  if (!needs(t, "php-cgi")) return;
  const command = ["/bin/sh", "-c", "sleep 1; exec php-cgi"];
  const server = await startPhp(t, { command, processes: 1 });
  const reload = server.gateway.reload?.();
  // The new process has been started, and is not ready.
  await new Promise((resolve) => setTimeout(resolve, 500));
  await server.gateway.scale?.({ min: 2, max: 2 });
  await reload;
  await until(() => count(server) === 2);
});

test("php-cgi: a process does not end by itself after 500 requests, which would lose one", async (t) => {
  if (!needs(t, "php-cgi")) return;
  const server = await startPhp(t, {});
  const pids = new Set<string>();
  for (let i = 0; i < 510; i++) {
    const { status, body } = await server.ask({ target: "/pid.php", method: "POST", body: "x" });
    assert.equal(status, 200);
    pids.add(body.toString());
  }
  assert.equal(pids.size, 1);
});

test("a program that cannot be started fails those that wait, and is not started by each request", async (t) => {
  const server = await startPhp(t, { command: ["/no/such/program"], processes: { min: 0, max: 2 } });
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask(server, "/pid.php")));
  for (const { body } of answers) assert.match(body.toString(), /ERR_SALLYPORT_SPAWN_FAILED/);
  const growths = server.lines.filter(({ message }) => / grows from 0 to 1 /.test(message));
  assert.equal(growths.length, 1);
});

test("php-cgi: bounds change at run time, and end no request", async (t) => {
  if (!needs(t, "php-cgi")) return;
  const server = await startPhp(t, { processes: 3 });
  const slow = Array.from({ length: 3 }, () => ask(server, "/pid.php?500000"));
  await until(() => server.gateway.status?.().processes.every(({ state }) => state === "busy") === true);
  await server.gateway.scale?.({ min: 1, max: 1 });
  assert.equal(count(server), 1);
  for (const { status } of await Promise.all(slow)) assert.equal(status, 200);
  await until(() => server.gateway.status?.().processes.length === 1);
  await server.gateway.reload?.();
  await until(() => server.gateway.status?.().processes.length === 1);
});

test("php-cgi: processes are replaced after their share of requests and at their age, and no request fails", async (t) => {
  if (!needs(t, "php-cgi")) return;
  for (const [limit, reason] of [
    [{ maxRequests: 30 }, /php-cgi \(\d+\) has served its share of requests; another takes over/],
    [{ maxAge: 1_500 }, /php-cgi \(\d+\) has run for \d+ s; another takes over/],
  ] as const) {
    const server = await startPhp(t, { processes: 2, ...limit });
    const pids = new Set<string>();
    while (pids.size < 4) {
      const answers = await Promise.all(Array.from({ length: 4 }, () => ask(server, "/pid.php")));
      for (const { status, body } of answers) {
        assert.equal(status, 200);
        pids.add(body.toString());
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await server.logged(reason);
  }
});

test("php-cgi: a jump above the hard limit ends the process, and only what was inside fails", async (t) => {
  if (!needs(t, "php-cgi")) return;
  const server = await startPhp(t, { processes: 2, memoryLimit: 300 * MB });
  const jump = ask(server, "/jump.php");
  const others = Array.from({ length: 10 }, () => ask(server, "/pid.php"));
  const { status, body } = await jump;
  assert.equal(status, 502);
  assert.match(body.toString(), /ERR_SALLYPORT_MEMORY_LIMIT/);
  for (const other of await Promise.all(others)) assert.equal(other.status, 200);
  await until(() => count(server) === 2);
});

test("a leak of 10 MB a request meets the soft limit without a failed request", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(
    join(folder, "leak.mjs"),
    `const kept = [];
export default () => {
  kept.push(Buffer.alloc(10 << 20, 1));
  return new Response(String(process.pid));
};
`,
  );
  const server = await startGateway(t, {
    command: [process.execPath, BIN, "serve", "leak.mjs"],
    chdir: folder,
    maxMemory: 300 * MB,
  });
  const pids = new Set<string>();
  while (pids.size < 3) {
    const { status, body } = await ask(server, "/");
    assert.equal(status, 200);
    pids.add(body.toString());
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  await server.logged(/holds \d+ MiB of memory, more than 300 MiB; another takes over/);
});

test("options of processes are refused for an application that runs elsewhere", async (t) => {
  await assert.rejects(startGateway(t, { address: "unix:/a", processes: { min: 0, max: 2 } }), {
    code: "ERR_SALLYPORT_CONFIG_INVALID",
  });
});
