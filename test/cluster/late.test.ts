// Server processes of a cluster that do not start in time. Only embedded apps have a limit that a test can wait for: their own
// and 15 s for all else.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeFolder } from "../kit/make-folder.ts";
import { pythons } from "../kit/pythons.ts";
import { type Served, serve } from "../kit/serve.ts";
import { statusAt } from "../kit/status-at.ts";
import { until } from "../kit/until.ts";

/** Its import hangs while there is a file "hang"; the second import makes that file where there is one called "once". */
const APP = `import os, sys, time
here = os.path.dirname(os.path.abspath(__file__))
def wanted(name): return os.path.exists(os.path.join(here, name))
if wanted("hang"): time.sleep(600)
if wanted("once"): os.rename(os.path.join(here, "once"), os.path.join(here, "hang"))

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
`;

interface Site {
  readonly folder: string;
  readonly server: Served;
  /** The processes that serve. */
  serving(): Promise<(number | undefined)[]>;
}

async function start(t: TestContext, serverProcesses: number, ...files: string[]): Promise<Site> {
  const folder = makeFolder(t);
  writeFileSync(join(folder, "app.py"), APP);
  for (const file of files) writeFileSync(join(folder, file), "");
  const app = { wsgi: "app:app", mode: "embedded", python: pythons()[0]?.path, startTimeout: "1s" };
  const config = {
    listen: ["127.0.0.1:0"],
    serverProcesses,
    control: "control.sock",
    log: { access: "off" },
    apps: { app },
  };
  writeFileSync(join(folder, "site.json"), JSON.stringify(config));
  const server = await serve(["--config", "site.json"], { cwd: folder });
  t.after(() => server.stop());
  const serving = async (): Promise<(number | undefined)[]> =>
    (await statusAt(join(folder, "control.sock"))).serverProcesses
      .filter(({ state }) => state === "serving")
      .map(({ pid }) => pid);
  return { folder, server, serving };
}

const LATE = /server process \d+ did not start within 16 s: it is ended/;

test("a lone server process whose replacement does not start in time is replaced all the same", async (t) => {
  const { folder, server, serving } = await start(t, 1);
  const [old] = await serving();
  writeFileSync(join(folder, "hang"), "");
  process.kill(old as number, "SIGKILL");
  await server.sees(LATE);
  rmSync(join(folder, "hang"));
  await server.sees(/a server process could not be started: it was killed by SIG/);
  await until(async () => (await serving()).length === 1);
  assert.match(await (await fetch(server.url)).text(), /^\d+$/);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

test("one of several that does not start in time at first is missing for a time only, and the log says so", async (t) => {
  const { folder, server, serving } = await start(t, 2, "once");
  await server.sees(/only 1 of 2 server processes serve so far/);
  assert.match(server.stderr, LATE);
  assert.doesNotMatch(server.stderr, /^.*2 server processes serve$/m);
  rmSync(join(folder, "hang"));
  await until(async () => (await serving()).length === 2);
});
