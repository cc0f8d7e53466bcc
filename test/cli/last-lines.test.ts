// The last lines of the log are written, whichever command writes it, and however the process ends.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeFolder } from "../kit/make-folder.ts";
import { pythons } from "../kit/pythons.ts";
import { AS_ROOT, type Served, serveBy } from "../kit/serve.ts";
import { until } from "../kit/until.ts";

const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));
const PYTHON = pythons()[0]?.path as string;
/** More than the writer of the log passes on at once. */
const LINES = 400;
const LAST = `line ${LINES} of the end ${"x".repeat(200)}`;

const here = makeFolder();
writeFileSync(
  join(here, "talkative.py"),
  `import atexit

@atexit.register
def talk():
    for line in range(1, ${LINES} + 1):
        print("line", line, "of the end", "x" * 200)

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
`,
);
writeFileSync(
  join(here, "leaving.mjs"),
  `export default () => {
  for (let line = 1; line <= ${LINES}; line++) console.warn("line " + line + " of the end " + "x".repeat(200));
  process.exit(3);
};
`,
);
writeFileSync(join(here, "broken.mjs"), "throw new Error('no site today');\n");

/** The commands that serve. */
const COMMANDS = {
  serve: ["serve"],
  "serve, two server processes": ["serve", "--server-processes", "2"],
  dev: ["dev"],
} as const;

const start = (...args: readonly string[]): Promise<Served> =>
  serveBy([process.execPath, BIN, ...args, "--port", "0", "--access-log", "off"], { cwd: here });

async function stopAfter(t: TestContext, server: Served): Promise<void> {
  t.after(() => server.stop());
  await (await fetch(server.url)).text();
}

for (const [name, command] of Object.entries(COMMANDS)) {
  test(`what an application prints at its end is in the log: ${name}`, async (t) => {
    const server = await start(...command, "talkative:app", "--python", PYTHON);
    await stopAfter(t, server);
    assert.equal((await server.stop()).code, 0);
    assert.ok(server.stderr.includes(LAST), server.stderr.slice(-500));
  });

  test(`what is logged before an application calls process.exit is in the log: ${name}`, async (t) => {
    const server = await startInto(t, join(here, `${name}.log`), ...command, "leaving.mjs");
    await fetch(server.url).catch(() => {}); // the process is gone
    await until(() => server.log().includes(LAST));
  });
}

for (const command of [COMMANDS.serve, COMMANDS["serve, two server processes"]])
  test(`why it cannot start is in the log: ${command.join(" ")}`, async (t) => {
    const file = join(here, "broken.log");
    const { exited } = into(t, file, ...command, "broken.mjs");
    assert.equal(await exited, 1);
    assert.match(readFileSync(file, "utf8"), /no site today/);
  });

/** Runs the command with a file as its standard error: of a socket, it must not wait for the reader. */
function into(t: TestContext, file: string, ...args: readonly string[]): { exited: Promise<number | null> } {
  const log = openSync(file, "w");
  const child = spawn(process.execPath, [BIN, ...args, "--port", "0", "--access-log", "off"], {
    cwd: here,
    env: { ...AS_ROOT, ...process.env },
    stdio: ["ignore", "ignore", log],
  });
  closeSync(log);
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  t.after(async () => {
    child.kill();
    await exited;
  });
  return { exited };
}

async function startInto(t: TestContext, file: string, ...args: readonly string[]) {
  into(t, file, ...args);
  const log = (): string => readFileSync(file, "utf8");
  const listening = (): string | undefined => /listening on (http\S+)/.exec(log())?.[1];
  await until(() => listening() !== undefined);
  return { log, url: listening() as string };
}
