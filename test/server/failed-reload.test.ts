// A reload that fails, in one server process: everything stays as it was, and no request is lost to it.
import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Config } from "../../src/config/config.ts";
import { checkConfig } from "../../src/config/errors.ts";
import { type Gateway, SallyportError, silentLog } from "../../src/exchange/index.ts";
import { type Server, serverOf } from "../../src/server/server.ts";
import { freePort } from "../kit/free-port.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { pythons } from "../kit/pythons.ts";
import { until } from "../kit/until.ts";

const PYTHON = pythons()[0]?.path as string;
const ANY = ["127.0.0.1:0"];

interface Reloadable {
  readonly server: Server;
  readonly url: string;
  become(config: Config): Promise<void>;
}

async function running(t: TestContext, config: Config, directory = "."): Promise<Reloadable> {
  let next = config;
  const reread = async () => checkConfig(next);
  const server = serverOf(checkConfig(config), { log: silentLog, reread, directory });
  t.after(() => server.stop(0));
  const [url = ""] = await server.start();
  const become = (wanted: Config): Promise<void> => {
    next = wanted;
    return server.reload();
  };
  return { server, url, become };
}

const text = async (url: string): Promise<string> => (await fetch(url)).text();

/** An app that answers, and reloads, when it is told to. */
class Held implements Gateway {
  #answer: (() => void) | undefined;
  #reject: ((reason: Error) => void) | undefined;

  handle: Gateway["handle"] = (exchange) => {
    this.#answer = () => exchange.respond({ status: 200, reason: "", headers: [] }, "held");
  };

  reload(): Promise<void> {
    return new Promise((_, reject) => {
      this.#reject = reject;
    });
  }

  get asked(): boolean {
    return this.#answer !== undefined;
  }

  get reloading(): boolean {
    return this.#reject !== undefined;
  }

  answer(): void {
    this.#answer?.();
    this.#answer = undefined;
  }

  fail(): void {
    this.#reject?.(new SallyportError("APP_IMPORT", "it does not start"));
    this.#reject = undefined;
  }
}

test("requests that come during a reload are answered when it fails, also at an address that is closed again", async (t) => {
  const held = new Held();
  const apps = { held: { app: held } };
  const port = await freePort();
  const { server, url, become } = await running(t, { listen: ANY, apps });
  for (const asked of [url, `http://127.0.0.1:${port}`]) {
    const failed = assert.rejects(
      become({ listen: [...ANY, `127.0.0.1:${port}`], apps, limits: { headerCount: 90 } }),
    );
    await until(() => held.reloading);
    const answered = text(asked);
    await until(() => held.asked);
    held.fail();
    await failed;
    assert.deepEqual(server.urls, [url]);
    held.answer();
    assert.equal(await answered, "held");
  }
});

test("a stop during a reload leaves requests that came meanwhile their time", async (t) => {
  const held = new Held();
  const apps = { held: { app: held } };
  const { server, url, become } = await running(t, { listen: ANY, apps });
  const failed = assert.rejects(become({ listen: ANY, apps, limits: { headerCount: 90 } }));
  await until(() => held.reloading);
  const answered = text(url);
  await until(() => held.asked);
  const stopped = server.stop(10_000);
  held.fail();
  await failed;
  held.answer();
  assert.equal(await answered, "held");
  await stopped;
});

test("apps have new generations together: when one fails to start, the others stay as they were", async (t) => {
  const here = makeFolder();
  const write = (name: string, version: string): void =>
    writeFileSync(
      join(here, `${name}.py`),
      `def app(environ, start_response):\n    start_response("200 OK", [])\n    return [b"${name}${version}"]\n`,
    );
  const program = (version: string): void => {
    const served = `exec ${PYTHON} ${join(import.meta.dirname, "../../src/demo/apps/hello_fastcgi.py")}`;
    writeFileSync(join(here, "program"), `#!/bin/sh\necho ${version} $$ >> starts\n${served}\n`);
    chmodSync(join(here, "program"), 0o755);
  };
  for (const name of ["a", "b"]) write(name, "1");
  program("1");
  const wsgi = { python: PYTHON, chdir: here, processes: 2 };
  const config: Config = {
    listen: ANY,
    apps: {
      a: { wsgi: "a:app", ...wsgi },
      b: { wsgi: "b:app", ...wsgi },
      c: { fastcgi: { command: [join(here, "program")], chdir: here } },
    } as Config["apps"],
    routes: ["a", "b", "c"].map((app) => ({ path: `/${app}`, app })),
  };
  const { server, url, become } = await running(t, config, here);
  const versions = (): Promise<string[]> => Promise.all(["a", "b"].map((name) => text(`${url}/${name}`)));
  const generations = () =>
    Object.values(server.status().apps).map(({ processes }) => [
      ...new Set(processes.map((each) => each.generation)),
    ]);
  for (const name of ["a", "b"]) write(name, "2");
  writeFileSync(join(here, "b.py"), "raise SystemError('broken')\n");
  await assert.rejects(become(config), /broken/);
  assert.deepEqual(await versions(), ["a1", "b1"]);
  await until(() => generations().every(({ length }) => length === 1));
  assert.deepEqual(generations(), [[1], [1], [1]]);
  write("b", "2");
  await become(config);
  assert.deepEqual(await versions(), ["a2", "b2"]);
  await until(() =>
    generations()
      .slice(0, 2)
      .every(({ length }) => length === 1),
  );
  assert.deepEqual(generations().slice(0, 2), [[2], [2]]);
});

test("the URL of an address is that of the protocol which a reload has given it", async (t) => {
  const apps = { none: { app: { handle() {} } } };
  const { server, url, become } = await running(t, { listen: ANY, apps });
  await become({ listen: ["scgi://127.0.0.1:0"], apps });
  assert.deepEqual(server.urls, [url.replace("http:", "scgi:")]);
});

test("access logs of what a reload has replaced are opened anew, too", async (t) => {
  const here = makeFolder();
  const log = join(here, "access.log");
  const held = new Held();
  held.reload = async () => {};
  const config: Config = { listen: ANY, apps: { held: { app: held } }, log: { access: log } };
  const { server, url, become } = await running(t, config);
  const answered = text(url);
  await until(() => held.asked);
  await become({ ...config, limits: { headerCount: 90 } });
  renameSync(log, `${log}.1`);
  server.reopenLogs();
  await until(() => existsSync(log));
  held.answer();
  assert.equal(await answered, "held");
  await until(() => readFileSync(log, "utf8").includes("GET /"));
  assert.equal(statSync(`${log}.1`).size, 0);
});

test("requests that outlast the grace of a reload count, and a stop waits for them", async (t) => {
  const held = new Held();
  held.reload = async () => {};
  const config: Config = { listen: ANY, apps: { held: { app: held } }, grace: "2s" };
  const { server, url, become } = await running(t, config);
  const answered = text(url);
  await until(() => held.asked);
  await become({ ...config, limits: { headerCount: 90 } });
  await delay(2_500); // what was replaced has begun to end
  assert.equal(server.status().inFlight, 1);
  let over = false;
  const stopped = server.stop(10_000).then(() => {
    over = true;
  });
  await until(() => server.status().state === "leaving");
  await delay(100);
  assert.equal(over, false);
  held.answer();
  assert.equal(await answered, "held");
  await stopped;
});
