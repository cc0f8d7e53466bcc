// The Autobahn test suite's fuzzing client against a listener that echoes. It runs on CPython 2.7 alone, so it is installed
// where there is one, into .cache; test/websocket/cases.test.ts has its cases in our own words for all other machines.
// With SALLYPORT_AUTOBAHN=all every case is run, which takes half an hour of Python.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Silence } from "../../scripts/testing/silence.mjs";
import { makeFolder } from "../kit/make-folder.ts";
import { reportProgress } from "../kit/report-progress.ts";
import { echo, serve } from "../kit/serve-websocket.ts";

const CACHE = fileURLToPath(new URL("../../.cache/", import.meta.url));
const HOME = join(CACHE, "autobahn");
const VERSION = "autobahntestsuite==0.8.2";
/** Twisted's namespace packages want their .pth files read. */
const RUN = `import site, sys
home, spec = sys.argv[1:]
site.addsitedir(home)
sys.path.insert(0, home)
from autobahntestsuite.wstest import run
sys.argv = ["wstest", "-m", "fuzzingclient", "-s", spec]
run()
`;

/** Groups, and how long they may take. Those of compressed messages are sampled. */
const SOME = [
  "1.*",
  "2.*",
  "3.*",
  "4.*",
  "5.*",
  "6.*",
  "7.*",
  "9.*",
  "10.*",
  ...["1", "2", "3", "4", "5"].map((set) => `12.${set}.3`),
  ...["1", "2", "3", "4", "5", "6", "7"].map((set) => `13.${set}.3`),
];
const ALL = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "12.*", "13.*"];
const whole = process.env.SALLYPORT_AUTOBAHN === "all";
/** Milliseconds of an idle machine without a word from the suite, which prints a line for each case. */
const SILENCE = 120_000;

/** A CPython 2.7 with pip; undefined where there is none. */
function python2(): string | undefined {
  const pyenv = join(process.env.PYENV_ROOT ?? join(homedir(), ".pyenv"), "versions");
  const versions = existsSync(pyenv) ? readdirSync(pyenv).filter((name) => name.startsWith("2.7.")) : [];
  const places = ["python2.7", ...versions.map((name) => join(pyenv, name, "bin", "python2.7"))];
  return places.find((python) => spawnSync(python, ["-m", "pip", "--version"]).status === 0);
}

/** Why it cannot be had; undefined when it is there. */
async function install(python: string): Promise<string | undefined> {
  if (existsSync(HOME)) return undefined;
  mkdirSync(CACHE, { recursive: true });
  const fresh = `${HOME}-${process.pid}`;
  const args = ["-m", "pip", "--disable-pip-version-check", "install", "--target", fresh, VERSION];
  try {
    await run(python, args, CACHE);
    renameSync(fresh, HOME);
    return undefined;
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    return `the Autobahn test suite cannot be installed: ${(error as Error).message.trim().split("\n").at(-1)}`;
  }
}

/** The interpreter that has the suite; skips the test where there is none. */
async function ready(t: TestContext): Promise<string | undefined> {
  const python = python2();
  const reason = python ? await install(python) : "not on this machine: CPython 2.7 with pip";
  if (reason === undefined) return python;
  t.skip(reason);
  return undefined;
}

/** Runs a program to its end, for as long as it goes on saying something. */
async function run(program: string, args: readonly string[], cwd: string): Promise<void> {
  const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  const silence = new Silence(SILENCE, () => child.kill("SIGKILL"));
  let last = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      silence.heard();
      last = `${last}${chunk}`.slice(-2_000);
      reportProgress(last.trim().split("\n").at(-1) ?? "");
    });
  const [code, signal] = await once(child, "close");
  silence.end();
  assert.equal(signal ?? code, 0, last);
}

interface Verdict {
  readonly behavior: string;
  readonly behaviorClose: string;
}

/** NON-STRICT: text that is not UTF-8 is refused when it is complete, not at its first bad byte (cases 6.4). */
const PASSED = new Set(["OK", "NON-STRICT", "INFORMATIONAL"]);

test("no case of the Autobahn test suite fails", async (t) => {
  const python = await ready(t);
  if (!python) return;
  const folder = makeFolder(t);
  const { url } = await serve(t, echo);
  const spec = join(folder, "spec.json");
  const servers = [{ agent: "sallyport", url }];
  writeFileSync(
    spec,
    JSON.stringify({
      outdir: folder,
      servers,
      cases: whole ? ALL : SOME,
      "exclude-cases": [],
      "exclude-agent-cases": {},
    }),
  );
  await run(python, ["-u", "-c", RUN, HOME, spec], folder);
  const index = JSON.parse(readFileSync(join(folder, "index.json"), "utf8"));
  const verdicts = Object.entries(index.sallyport as Record<string, Verdict>);
  const failed = verdicts.filter(
    ([, { behavior, behaviorClose }]) => !PASSED.has(behavior) || !PASSED.has(behaviorClose),
  );
  assert.deepEqual(failed, []);
  assert.ok(verdicts.length >= (whole ? 500 : 300), `only ${verdicts.length} cases were run`);
});
