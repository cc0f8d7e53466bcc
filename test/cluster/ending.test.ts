// Server processes that end by themselves: after an uncaught error, or a signal of somebody else.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { constants, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { HEARTBEAT_INTERVAL } from "../../src/cluster/messages.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { pythons } from "../kit/pythons.ts";
import { AS_ROOT, serve } from "../kit/serve.ts";
import { statusAt } from "../kit/status-at.ts";
import { until } from "../kit/until.ts";

/** Answers /hold when there is a file "release". */
const SITE = `import { existsSync } from "node:fs";
export default async (request, response) => {
  response.setHeader("connection", "close");
  if (request.url === "/throw") setTimeout(() => { throw new Error("late"); });
  if (request.url === "/term") process.kill(process.pid, "SIGTERM");
  if (request.url === "/hold") {
    process.stderr.write("holding\\n");
    while (!existsSync(new URL("release", import.meta.url))) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  response.end(String(process.pid));
};
`;
/** Where an application is embedded, even one server process has a supervisor. */
const PYTHON_APP = `def app(environ, start_response):
    start_response("204 No Content", [])
    return []
`;

for (const [cause, path] of [
  ["an uncaught error", "/throw"],
  ["SIGTERM", "/term"],
] as const)
  test(`a lone server process that ends after ${cause} has a successor at once, and answers its own requests`, async (t) => {
    const folder = makeFolder(t);
    writeFileSync(join(folder, "site.mjs"), SITE);
    writeFileSync(join(folder, "app.py"), PYTHON_APP);
    const config = {
      listen: ["127.0.0.1:0"],
      control: "control.sock",
      log: { access: "off" },
      apps: {
        py: { wsgi: "app:app", mode: "embedded", python: pythons()[0]?.path },
        site: { module: "site.mjs" },
      },
      routes: [{ path: "/py", app: "py" }, { app: "site" }],
    };
    writeFileSync(join(folder, "site.json"), JSON.stringify(config));
    const server = await serve(["--config", "site.json"], { cwd: folder });
    t.after(() => server.stop());
    const ask = async (target: string): Promise<string> => (await fetch(server.url + target)).text();

    const held = ask("/hold");
    await server.sees(/holding/);
    const old = await ask(path);
    await server.sees(
      new RegExp(`server process ${old} stops, though it was not told to; .*; another starts`),
    );
    const present = await ask("/");
    assert.notEqual(present, old);
    writeFileSync(join(folder, "release"), "");
    assert.equal(await held, old);
    const { restarts, serverProcesses } = await statusAt(join(folder, "control.sock"));
    assert.equal(restarts, 1);
    assert.ok(serverProcesses.some(({ pid, state }) => String(pid) === present && state === "serving"));
    assert.doesNotMatch(server.stderr, /cut|others serve on/);
  });

test("when the parent is killed, requests under way are answered, and no application is blamed", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "site.mjs"), SITE);
  const server = await serve(["site.mjs", "--server-processes", "2"], { cwd: folder });
  const held = fetch(`${server.url}/hold`).then(
    (response) => response.text(),
    (error: unknown) => error,
  );
  await server.sees(/holding/);
  process.kill(server.pid, "SIGKILL");
  // By then the server processes have noticed it, and would have told their supervisor that they live.
  await delay(3 * HEARTBEAT_INTERVAL);
  writeFileSync(join(folder, "release"), "");
  assert.match(String(await held), /^\d+$/);
  assert.doesNotMatch(server.stderr, /closed descriptors/);
  await server.exited;
});

const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));

test("a reader of standard error that has gone cuts no request, and the exit code is 0", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "site.mjs"), SITE);
  const options = ["serve", "site.mjs", "--server-processes", "2", "--port", "0", "--access-log", "off"];
  const server = spawn(process.execPath, [BIN, ...options], {
    cwd: folder,
    env: { ...AS_ROOT, ...process.env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(server, "exit");
  let text = "";
  for await (const piece of server.stderr) {
    text += piece;
    if (text.includes("listening on")) break; // closes the pipe
  }
  const [, url = ""] = /listening on (\S+)/.exec(text) ?? [];
  const held = fetch(`${url}/hold`).then(
    (response) => response.text(),
    (error: unknown) => error,
  );
  await until(async () => (await fetch(`${url}/`)).ok);
  server.kill("SIGTERM");
  // Meanwhile the supervisor would say that it waits for a request.
  await delay(1000);
  writeFileSync(join(folder, "release"), "");
  assert.match(String(await held), /^\d+$/);
  assert.deepEqual(await exited, [0, null]);
});

test("a reader of standard error that is stuck holds no stop up, after a reload, too", async (t) => {
  const folder = makeFolder(t);
  writeFileSync(
    join(folder, "site.mjs"),
    `process.stderr.write(("x".repeat(99) + "\\n").repeat(2000));\n${SITE}`,
  );
  execFileSync("mkfifo", [join(folder, "stuck")]);
  const stuck = openSync(join(folder, "stuck"), constants.O_RDWR);
  const options = [
    "serve",
    "site.mjs",
    "--server-processes",
    "2",
    "--unix",
    "site.sock",
    "--control",
    "c.sock",
  ];
  const server = spawn(process.execPath, [BIN, ...options, "--access-log", "off"], {
    cwd: folder,
    env: { ...AS_ROOT, ...process.env },
    stdio: ["ignore", "ignore", stuck],
  });
  const exited = once(server, "exit").then(([code]) => code as number | null);
  t.after(() => server.kill("SIGKILL"));
  await until(() =>
    statusAt(join(folder, "c.sock")).then(
      ({ state }) => state === "serving",
      () => false,
    ),
  );
  execFileSync(process.execPath, [BIN, "reload", "--control", join(folder, "c.sock")]);
  server.kill("SIGTERM");
  assert.equal(await Promise.race([exited, delay(30_000, "hangs", { ref: false })]), 0);
});
