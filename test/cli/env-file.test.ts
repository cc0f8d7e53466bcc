// Files of variables that a reload cannot use: what runs, and what starts later, has the variables that were there before.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { loadEnvFiles } from "../../src/cli/env-file.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { serverProcessesOf } from "../kit/processes.ts";
import { type Served, serve } from "../kit/serve.ts";
import { until } from "../kit/until.ts";

test("files that cannot all be read change nothing", (t) => {
  const folder = makeFolder(t);
  const [one, two] = [join(folder, "one"), join(folder, "two")];
  writeFileSync(one, "A=1\nB=2\n");
  const env: Record<string, string | undefined> = { REAL: "real" };
  loadEnvFiles([one], env);
  const before = { ...env };
  writeFileSync(one, "A=3\n");
  assert.throws(() => loadEnvFiles([one, two], env), { code: "ERR_SALLYPORT_CONFIG_INVALID" });
  assert.deepEqual(env, before);
});

test("what was there before is put back, and can be replaced again", (t) => {
  const file = join(makeFolder(t), "vars");
  writeFileSync(file, "A=1\nB=2\nTAKEN=x\n");
  const env: Record<string, string | undefined> = { REAL: "real" };
  const nothing = loadEnvFiles([file], env);
  delete env.TAKEN;
  writeFileSync(file, "A=3\nC=4\nREAL=file\n");
  const undo = loadEnvFiles([file], env);
  const shown = () => [env.A, env.B, env.C, env.REAL, "TAKEN" in env];
  assert.deepEqual(shown(), ["3", undefined, "4", "real", false]);
  undo();
  assert.deepEqual(shown(), ["1", "2", undefined, "real", false]);
  loadEnvFiles([file], env);
  assert.deepEqual(shown(), ["3", undefined, "4", "real", false]);
  nothing();
  assert.deepEqual(env, { REAL: "real" });
});

const APP = `
import os
if os.environ["OUR_COLOUR"] == "unbearable": raise ValueError("not this colour")
def app(environ, start_response):
    start_response("200 OK", [])
    return [f"{os.getpid()} {os.environ['OUR_COLOUR']}".encode()]
`;

interface Mode {
  /** More of the app's settings, and of the server's. */
  readonly app?: object;
  readonly server?: object;
  /** The configuration is code, which each server process reads itself. */
  readonly code?: boolean;
}

const MODES: Readonly<Record<string, Mode>> = {
  "a lone server": {},
  "several server processes": { server: { serverProcesses: 2 } },
  "several server processes, the configuration in code": { server: { serverProcesses: 2 }, code: true },
  "embedded mode": { app: { mode: "embedded" } },
};

interface Opened {
  readonly server: Served;
  readonly variables: string;
  /** Writes the configuration, with these settings in addition. */
  configure(more?: object): void;
}

async function open(t: TestContext, { app, server: settings, code }: Mode): Promise<Opened> {
  const folder = makeFolder(t);
  const [variables, config] = [join(folder, "vars"), join(folder, code ? "site.mjs" : "site.json")];
  const configure = (more: object = {}): void => {
    const all = { listen: ["127.0.0.1:0"], log: { access: "off" }, ...settings, ...more };
    const apps = { shop: { wsgi: "shown:app", ...app } };
    const text = JSON.stringify({ ...all, apps, routes: [{ path: "/", app: "shop" }] });
    const own = "const own = { app: () => new Response() };\n";
    const made = `${own}export default { ...site, apps: { ...site.apps, own } };\n`;
    writeFileSync(config, code ? `const site = ${text};\n${made}` : text);
  };
  writeFileSync(join(folder, "shown.py"), APP);
  writeFileSync(variables, "OUR_COLOUR=blue\n");
  configure();
  const server = await serve(["--config", config, "--env-file", variables], { cwd: folder });
  t.after(() => server.stop());
  return { server, variables, configure };
}

/** Settings that a reload refuses. */
const REFUSED = [
  ["the configuration is wrong", { greeting: "hello" }],
  ["the configuration needs a restart", { umask: "027" }],
] as const;

/** Process and colour. Asks again where a process has just ended. */
async function ask({ url }: Served): Promise<readonly [pid: string, colour: string]> {
  for (;;) {
    const answer = await fetch(url, { headers: { connection: "close" } }).catch(() => undefined);
    const text = answer?.ok ? await answer.text().catch(() => "") : "";
    const [pid, colour] = text.split(" ");
    if (pid && colour) return [pid, colour];
  }
}

/** The colour of processes that start now. */
async function colourOfFresh(server: Served): Promise<string> {
  const [before] = await ask(server);
  for (const pid of serverProcessesOf(server.pid)) process.kill(pid, "SIGKILL");
  let [pid, colour] = await ask(server);
  while (pid === before) [pid, colour] = await ask(server);
  return colour;
}

for (const [name, mode] of Object.entries(MODES))
  test(`${name}: after a reload that failed, what starts has the variables from before it`, async (t) => {
    const { server, variables, configure } = await open(t, mode);
    const failed = () => server.stderr.split(/reload failed/).length - 1;
    const refused = async (): Promise<string> => {
      const before = failed();
      process.kill(server.pid, "SIGHUP");
      await until(() => failed() > before);
      return colourOfFresh(server);
    };
    rmSync(variables);
    assert.equal(await refused(), "blue", "the file is gone");
    writeFileSync(variables, "OUR_COLOUR=red\n");
    // Configurations in code are read by each server process as they are then.
    for (const [why, more] of mode.code ? [] : REFUSED) {
      configure(more);
      assert.equal(await refused(), "blue", why);
    }
    configure();
    writeFileSync(variables, "OUR_COLOUR=unbearable\n");
    assert.equal(await refused(), "blue", "the app does not start");
    writeFileSync(variables, "OUR_COLOUR=red\n");
    process.kill(server.pid, "SIGHUP");
    await server.sees(/all server processes were replaced|app shop was reloaded/);
    assert.equal(await colourOfFresh(server), "red");
  });
