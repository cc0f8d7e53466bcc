// Signals to all processes of a server at once (`systemctl kill`, `pkill`, a terminal that closes): only the main one acts on them.
import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { makeFolder } from "../kit/make-folder.ts";
import { VENV_PYTHON } from "../kit/needs.ts";
import { childrenOf, commandOf, descendantsOf, isAlive, serverProcessesOf } from "../kit/processes.ts";
import { serve } from "../kit/serve.ts";
import { until } from "../kit/until.ts";

const here = makeFolder();
writeFileSync(
  join(here, "app.py"),
  `import subprocess, sys, time

def app(environ, start_response):
    body = b"done"
    if environ["PATH_INFO"] == "/slow":
        print("slow begins", file=sys.stderr, flush=True)
        time.sleep(1)
    if environ["PATH_INFO"] == "/child":
        body = subprocess.check_output(["cat", "/proc/self/status"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
`,
);
writeFileSync(join(here, "hello.cgi"), "#!/bin/sh\necho 'Content-Type: text/plain'; echo; echo hello\n");
chmodSync(join(here, "hello.cgi"), 0o755);

function configFor(serverProcesses: number, mode = "daemon"): string {
  const name = `${mode}${serverProcesses}.json`;
  const config = {
    listen: ["127.0.0.1:0"],
    apps: { app: { wsgi: "app:app", mode }, cgi: { cgi: "hello.cgi" } },
    routes: [
      { path: "/", app: "app" },
      { path: "/cgi", app: "cgi" },
    ],
    serverProcesses,
    log: { access: "off" },
    control: "off",
  };
  writeFileSync(join(here, name), JSON.stringify(config));
  return name;
}

const start = (config: string) =>
  serve(["--config", config], { cwd: here, env: { SALLYPORT_PYTHON: VENV_PYTHON } });

const text = async (url: string): Promise<string> => (await fetch(url)).text();

for (const count of [1, 2])
  test(`SIGUSR1 and SIGHUP to all processes of ${count} server processes cost no request and open no debugger`, async (t) => {
    const server = await start(configFor(count));
    t.after(() => server.stop());
    assert.equal(await text(`${server.url}/cgi`), "hello\n"); // the launcher is there
    const slow = text(`${server.url}/slow`);
    await server.sees(/slow begins/);
    const all = descendantsOf(server.pid);
    const [guards, others] = [all.filter(isGuard), all.filter((pid) => !isGuard(pid))];
    assert.ok(guards.length > 0 && others.some((pid) => commandOf(pid).includes("launcher")));
    for (const signal of ["SIGUSR1", "SIGHUP"] as const)
      for (const pid of [...all, server.pid]) process.kill(pid, signal);
    assert.equal(await slow, "done");
    await server.sees(count === 1 ? /app app was reloaded/ : /all server processes were replaced/);
    assert.doesNotMatch(server.stderr, /Debugger|ended|failed/);
    if (count === 1) assert.ok(guards.every(isAlive));
  });

const isGuard = (pid: number): boolean => commandOf(pid).startsWith("/bin/sh");

test("a server process that still starts opens no debugger at SIGUSR1", async (t) => {
  const server = await start(configFor(2));
  t.after(() => server.stop());
  const before = new Set(serverProcessesOf(server.pid));
  process.kill(server.pid, "SIGHUP");
  // Between fork and exec it has the command line of its parent.
  const ours = commandOf(server.pid);
  const isNew = (pid: number): boolean =>
    !before.has(pid) && commandOf(pid) !== ours && commandOf(pid).includes("sallyport.js");
  await until(() => childrenOf(server.pid).some(isNew));
  const signalled = new Set<number>();
  while (!/all server processes were replaced|the reload failed/.test(server.stderr)) {
    for (const pid of childrenOf(server.pid).filter((each) => isNew(each) && leavesDebuggerAlone(each))) {
      process.kill(pid, "SIGUSR1");
      signalled.add(pid);
    }
    await delay(3);
  }
  assert.equal(signalled.size, 2);
  assert.doesNotMatch(server.stderr, /Debugger|ended|failed/);
});

/** Before, any program dies of the signal. Where Node has no flag for it, only from the first statement of our program on. */
function leavesDebuggerAlone(pid: number): boolean {
  const status = statusOf(pid);
  if (status === "") return false;
  if (!process.allowedNodeEnvironmentFlags.has("--disable-sigusr1"))
    return (maskOf(status, "SigCgt") & 1n) === 1n;
  return ((maskOf(status, "SigBlk") | maskOf(status, "SigCgt")) & (1n << 9n)) !== 0n;
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "latin1");
  } catch {
    return ""; // it has just ended
  }
}

const maskOf = (status: string, name: string): bigint =>
  BigInt(`0x${new RegExp(`^${name}:\\s+(\\w+)$`, "m").exec(status)?.[1]}`);

for (const mode of ["daemon", "embedded"])
  test(`programs that an application starts get SIGHUP and SIGUSR1 as ever: ${mode}`, async (t) => {
    const server = await start(configFor(2, mode));
    t.after(() => server.stop());
    const status = await text(`${server.url}/child`);
    const both = (1n << 0n) | (1n << 9n);
    assert.deepEqual([maskOf(status, "SigIgn") & both, maskOf(status, "SigBlk") & both], [0n, 0n]);
  });
