// Embedded mode without what it needs: one message that says what to do, and exit code 1.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { libraryOf } from "../../src/embedded/library.ts";
import { silentLog } from "../../src/exchange/index.ts";
import { wsgi } from "../../src/protocols/wsgi/index.ts";
import { createServer } from "../../src/server/create.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { pythons } from "../kit/pythons.ts";
import { sallyport } from "../kit/run-command.ts";

const APPS = fileURLToPath(new URL("../apps/embedded", import.meta.url));
const PYTHON = pythons()[0]?.path as string;
const here = makeFolder();

/** Node 20 has `register` alone, of which Node 26 warns. */
const HOOK = `import * as modules from "node:module";
const resolve = (name, context, next) => {
  if (name === "koffi") throw new Error("Cannot find package 'koffi'");
  return next(name, context);
};
if (modules.registerHooks) modules.registerHooks({ resolve });
else modules.register("data:text/javascript," + encodeURIComponent("export const resolve = " + resolve));
`;
const WITHOUT_KOFFI = join(here, "without-koffi.mjs");
writeFileSync(WITHOUT_KOFFI, HOOK);

/** An interpreter that prints this, whatever it is asked. */
function interpreter(name: string, answer: object): string {
  const path = join(here, name);
  const real = { version: "3.13.0", implementation: "cpython", library: null, ...answer };
  writeFileSync(
    path,
    `#!/bin/sh\ncat <<'END'\n${[real.version, real.implementation, real.library ?? ""].join("\n")}\nEND\n`,
    { mode: 0o755 },
  );
  return path;
}

async function refusal(python: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const args = ["serve", "habits:app", "--port", "0", "--embedded", "--python", python];
  const { code, stderr } = await sallyport(args, APPS, env);
  assert.equal(code, 1, stderr);
  assert.equal(stderr.match(/ERR_SALLYPORT_\w+/g)?.join(), "ERR_SALLYPORT_PYTHON_NOT_FOUND", stderr);
  assert.equal(stderr.trim().split("\n").length, 1, stderr);
  return stderr;
}

test("without koffi the message says what to install, and daemon mode is not affected", async () => {
  const env = { NODE_OPTIONS: `--import=${WITHOUT_KOFFI}` };
  assert.match(
    await refusal(PYTHON, env),
    /needs the package koffi: `npm install koffi`, or use daemon mode/,
  );
  const daemon = ["serve", "nowhere:app", "--port", "0", "--python", PYTHON];
  assert.match((await sallyport(daemon, APPS, env)).stderr, /there is no module 'nowhere'/);
});

test("limits of a process are refused where no supervisor could replace it", async () => {
  const refused = { code: "ERR_SALLYPORT_CONFIG_INVALID", message: /nothing replaces this process: maxAge/ };
  assert.throws(() => wsgi("habits:app", { mode: "embedded", chdir: APPS, maxAge: 1_000 }), refused);
  const app = { wsgi: "habits:app", mode: "embedded", chdir: APPS, maxAge: "1s" } as const;
  const server = createServer({ listen: ["127.0.0.1:0"], apps: { app } }, { log: silentLog });
  await assert.rejects(server.start(), refused);
});

test("an interpreter without a shared library is named, with what to install", async () => {
  const python = interpreter("static", {});
  assert.match(
    await refusal(python),
    /static \(CPython 3\.13\.0\) has no shared library beside it: install libpython3\.13 \(Debian\), build .*daemon mode/,
  );
});

test("a library of another version than its interpreter is refused with both versions", async () => {
  const { library, version } = await libraryOf(PYTHON);
  const python = interpreter("mismatched", { library, version: "3.13.99" });
  const told = await refusal(python);
  assert.ok(told.includes(`is CPython 3.13.99, but its library ${library} is ${version}`), told);
});

test("a file that is no library is refused with the loader's own message", async () => {
  const library = join(here, "libpython3.13.so");
  writeFileSync(library, "not a library");
  assert.match(await refusal(interpreter("broken", { library })), /libpython3\.13\.so cannot be loaded: \S+/);
});

test("another Python than CPython is refused", async () => {
  assert.match(await refusal(interpreter("pypy", { implementation: "pypy" })), /is pypy; .* needs CPython/);
});

test("an interpreter that does not answer is refused", async () => {
  const path = join(here, "silent");
  writeFileSync(path, "#!/bin/sh\nexit 3\n", { mode: 0o755 });
  assert.match(await refusal(path), /silent cannot be asked for its library/);
});
