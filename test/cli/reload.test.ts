// SIGHUP at a server of a configuration file: the file is read again, or everything stays as it was.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { askServer } from "../../src/control/client.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { serve, serveBy } from "../kit/serve.ts";
import { until } from "../kit/until.ts";

test("SIGHUP reads the configuration file again: apps, routes, the log's level; a wrong file changes nothing", async (t) => {
  const folder = makeFolder(t);
  for (const name of ["one", "two"]) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "index.html"), name);
  }
  const write = (more: string, level: string): void =>
    writeFileSync(
      join(folder, "site.yaml"),
      `listen: ["127.0.0.1:0"]\nlog: { access: "off", level: ${level} }\napps: { one: { static: one }${more} }\n` +
        `routes: [{ app: one }${more && ', { path: "/two", app: two }'}]\n`,
    );
  write("", "info");
  const server = await serve(["--config", "site.yaml"], { cwd: folder });
  t.after(() => server.stop());
  const get = async (path: string) => (await fetch(server.url + path)).text();
  assert.doesNotMatch(await get("/two/"), /^two/);

  writeFileSync(join(folder, "site.yaml"), "apps: { one: { static: nowhere } }");
  process.kill(server.pid, "SIGHUP");
  await server.sees(/the reload failed and the old generation goes on: .*site\.yaml:1: .*nowhere/);
  assert.equal(await get("/"), "one");

  write(", two: { static: two }", "debug");
  process.kill(server.pid, "SIGHUP");
  while (!(await get("/two/")).startsWith("two")) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(await get("/"), "one");
  await server.stop();
  assert.match(server.stderr, /DEBUG stopping/);
});

const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));

interface Listening {
  /** The mode of its socket file, in octal digits; undefined while there is none. */
  mode(): string | undefined;
  /** A reload to a TCP address and these. Rejects with why it failed. */
  listen(...more: (string | object)[]): Promise<unknown>;
}

const socket = (mode: string, path = "web.sock"): object => ({ address: `unix:${path}`, mode });

/** A server that listens at a TCP address and at these. */
async function start(
  t: TestContext,
  command: string,
  serverProcesses: number,
  ...first: object[]
): Promise<Listening> {
  const folder = makeFolder(t);
  const write = (more: readonly (string | object)[]): void => {
    const listen = ["127.0.0.1:0", ...more];
    const settings = { listen, serverProcesses, control: "control.sock", apps: { site: { static: "." } } };
    writeFileSync(join(folder, "site.json"), JSON.stringify(settings));
  };
  write(first);
  const words = [process.execPath, BIN, command, "--config", "site.json", "--access-log", "off"];
  const server = await serveBy(words, { cwd: folder });
  t.after(() => server.stop());
  const path = join(folder, "web.sock");
  return {
    mode: () => (existsSync(path) ? (statSync(path).mode & 0o777).toString(8) : undefined),
    listen: (...more) => {
      write(more);
      return askServer(join(folder, "control.sock"), { method: "POST", path: "/reload" });
    },
  };
}

for (const [command, serverProcesses] of [
  ["serve", 1],
  ["serve", 2],
  ["dev", 1],
] as const) {
  const kind = `${command}, ${serverProcesses} server process${serverProcesses > 1 ? "es" : ""}`;

  test(`${kind}: a Unix socket that a reload has opened keeps its mode, and another one is refused`, async (t) => {
    const { mode, listen } = await start(t, command, serverProcesses);
    const refused = { code: "ERR_SALLYPORT_RESTART_NEEDED", message: /mode or owner of unix:.*web\.sock/ };
    await listen(socket("660"));
    assert.equal(mode(), "660");
    await assert.rejects(listen(socket("600")), refused);
    await assert.rejects(listen(socket("600", "./web.sock")), refused);
    await assert.rejects(listen("unix:none/web.sock"), { code: "ERR_SALLYPORT_ADDRESS_UNUSABLE" });
    await assert.rejects(listen(socket("600")), refused, "after a reload without it that failed");
    await listen(socket("660"));
    assert.equal(mode(), "660");
  });

  test(`${kind}: a Unix socket that a reload has closed may come back with another mode`, async (t) => {
    const { mode, listen } = await start(t, command, serverProcesses, socket("660"));
    assert.equal(mode(), "660");
    await listen();
    await until(() => mode() === undefined);
    await listen(socket("600"));
    assert.equal(mode(), "600");
  });
}
