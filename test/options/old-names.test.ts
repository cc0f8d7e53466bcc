// Options under their old names, as the functions of the library take them; files: test/config, command line: test/cli.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createServer, type Log, wsgi } from "../../src/index.ts";
import { dashed, oldNamesOf, presentNames } from "../../src/options/old-names.ts";

function recording(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const ignored = (): void => {};
  return { log: { debug: ignored, info: ignored, warn: (line) => lines.push(line), error: ignored }, lines };
}

test("a function takes an option by its old name, and says once what it is called now", () => {
  const { log, lines } = recording();
  wsgi("shop:app", { fronts: 2, log });
  assert.deepEqual(lines, ["wsgi(): fronts is called serverProcesses now"]);
});

test("a function refuses an option under both of its names", () => {
  assert.throws(() => wsgi("shop:app", { fronts: 2, serverProcesses: 2 }), {
    code: "ERR_SALLYPORT_CONFIG_INVALID",
    message: "wsgi(): fronts is called serverProcesses now: give one of them, not both",
  });
});

test("what is undefined was not given, by neither name", () => {
  const known = ["serverProcesses"];
  assert.deepEqual(presentNames({ fronts: 2, serverProcesses: undefined }, known).value, {
    serverProcesses: 2,
  });
  assert.deepEqual(presentNames({ fronts: undefined, serverProcesses: 2 }, known), {
    value: { serverProcesses: 2 },
    renamed: [],
    twice: [],
  });
});

test("an old name that means another option is no old name", () => {
  assert.deepEqual([...oldNamesOf(["fronts", "serverProcesses"])], []);
  assert.deepEqual([...oldNamesOf(["server-processes"], dashed)], [["fronts", "server-processes"]]);
});

test("a server that was made by code logs old names when it starts", async (t) => {
  const { log, lines } = recording();
  const config = { listen: ["127.0.0.1:0"], apps: { site: { static: "." } }, fronts: 1 };
  const server = createServer(config, { log });
  t.after(() => server.stop(0));
  await server.start();
  assert.deepEqual(lines, ["configuration: fronts is called serverProcesses now"]);
});
