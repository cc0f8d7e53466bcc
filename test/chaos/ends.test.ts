// The server itself is killed, in every form that it has: nothing stays behind, and the next start at the same address serves.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { freePort } from "../kit/free-port.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { findProgram } from "../kit/needs.ts";
import { descendantsOf, gone, isAlive, serverProcessesOf } from "../kit/processes.ts";
import { type Served, serve } from "../kit/serve.ts";
import { until } from "../kit/until.ts";
import { APPS, KINDS, PYTHON } from "./site.ts";

const python = { python: PYTHON, chdir: APPS };
const hostile = (more: object = {}): object => ({ wsgi: "hostile_wsgi:app", ...python, ...more });

/** A server at one Unix socket and one port, which a second one can be started at. */
async function begin(
  t: TestContext,
  config: object,
): Promise<{ server: Served; again: () => Promise<Served> }> {
  const folder = makeFolder(t);
  // Nobody may take it between an end and the next start.
  const listen = [`127.0.0.1:${await freePort()}`, "unix:site.sock"];
  writeFileSync(join(folder, "site.json"), JSON.stringify({ listen, log: { access: "off" }, ...config }));
  const start = (): Promise<Served> => serve(["--config", join(folder, "site.json")], { cwd: folder });
  const server = await start();
  t.after(() => server.stop());
  const again = async (): Promise<Served> => {
    const next = await start();
    t.after(() => next.stop());
    return next;
  };
  return { server, again };
}

const FORMS: Readonly<Record<string, object>> = {
  "a lone server with WSGI workers": { apps: { app: hostile({ processes: 2 }) } },
  "a lone server with ASGI workers": { apps: { app: { asgi: "hostile_asgi:app", ...python } } },
  ...(findProgram("php-cgi")
    ? { "a lone server with PHP": { apps: { app: KINDS["FastCGI (php-cgi)"]?.app } } }
    : {}),
  "a supervisor of server processes with workers": { apps: { app: hostile() }, serverProcesses: 2 },
  "a supervisor of embedded server processes": {
    apps: { app: hostile({ mode: "embedded" }) },
    serverProcesses: 2,
  },
};

const answers = async (server: Served): Promise<boolean> => (await fetch(`${server.url}/sum.php?1`)).ok;

for (const [name, config] of Object.entries(FORMS))
  test(`SIGKILL of ${name} leaves no process and no socket that stops the next start`, async (t) => {
    const { server, again } = await begin(t, config);
    assert.ok(await answers(server));
    if (!name.includes("ASGI") && !name.includes("PHP"))
      await (await fetch(`${server.url}/fork-child`)).text();
    const family = descendantsOf(server.pid);
    assert.ok(family.length > 0);
    process.kill(server.pid, "SIGKILL");
    for (const pid of family) await gone(pid);
    assert.ok(await answers(await again()));
  });

for (const mode of ["daemon", "embedded"] as const)
  test(`SIGKILL of one server process (${mode}): another takes its place, its children end, and the log says so`, async (t) => {
    const { server } = await begin(t, { apps: { app: hostile({ mode }) }, serverProcesses: 2 });
    const [, parent] = (await (await fetch(`${server.url}/pid`)).text()).split(" ").map(Number);
    const processes = serverProcessesOf(server.pid);
    const victim = mode === "daemon" ? (parent as number) : (processes[0] as number);
    assert.ok(processes.includes(victim));
    const family = descendantsOf(victim);
    process.kill(victim, "SIGKILL");
    await server.sees(
      new RegExp(`server process ${victim} was killed by SIGKILL: the requests inside it were cut`),
    );
    for (const pid of family) await gone(pid);
    await until(() => serverProcessesOf(server.pid).filter(isAlive).length >= processes.length);
    assert.ok(await answers(server));
  });

test("an orderly stop ends the forks of an embedded application, which have the listening sockets", async (t) => {
  const { server, again } = await begin(t, { apps: { app: hostile({ mode: "embedded" }) } });
  const child = Number(await (await fetch(`${server.url}/fork-child`)).text());
  assert.ok(isAlive(child));
  await server.stop();
  await gone(child);
  assert.ok(await answers(await again()));
});
