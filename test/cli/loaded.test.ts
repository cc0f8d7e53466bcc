// What a server loads before its first answer: its start takes as long as that, so nothing that it has no use for.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeFolder } from "../kit/make-folder.ts";
import { modulesIn } from "../kit/modules-in.mjs";
import { type Served, serve } from "../kit/serve.ts";

const ROOT = new URL("../..", import.meta.url).href;
const here = makeFolder();

/** Each tells which modules its interpreter has loaded. */
writeFileSync(
  join(here, "hello.py"),
  `
import sys
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["\\n".join(sys.modules).encode()]
`,
);
const NOTE = fileURLToPath(new URL("programs/note-builtins.cjs", import.meta.url));

interface Loaded {
  /** Files, seen from the root of the package. */
  readonly files: readonly string[];
  /** Modules in these files. */
  readonly modules: readonly string[];
  /** Node's own, as Node calls them. */
  readonly builtins: readonly string[];
  readonly python: readonly string[];
}

/** Serves one request and stops; V8's coverage tells the files. Of the main process, or else of its server process. */
async function loadedBy(t: TestContext, args: readonly string[], ofMain = true): Promise<Loaded> {
  const coverage = mkdtempSync(join(here, "coverage-"));
  const builtins = join(coverage, "builtins");
  mkdirSync(builtins);
  const env = { NODE_V8_COVERAGE: coverage, NODE_OPTIONS: `--require=${NOTE}`, NOTE_BUILTINS: builtins };
  const server = await serve([...args, "--python", "python3"], { cwd: here, env });
  t.after(() => server.stop());
  const site = new Set(bare());
  const python = (await answer(server)).split("\n").filter((name) => !site.has(name));
  assert.equal((await server.stop()).code, 0);
  const isOf = (pid: number): boolean => (pid === server.pid) === ofMain;
  const files = filesIn(coverage, isOf);
  return { files, modules: files.flatMap(modulesOf), builtins: linesIn(builtins, isOf), python };
}

/** Those that an interpreter has loaded for no program at all, as its site wants it. */
const bare = (): string[] =>
  execFileSync("python3", ["-c", "import sys; print('\\n'.join(sys.modules))"], { encoding: "utf8" }).split(
    "\n",
  );

const answer = async ({ url }: Served): Promise<string> => (await fetch(url)).text();

type IsOf = (pid: number) => boolean;

/** Reports are called `coverage-PID-TIME-NUMBER.json`. */
function filesIn(coverage: string, isOf: IsOf): string[] {
  const reports = readdirSync(coverage).filter(
    (name) => name.endsWith(".json") && isOf(Number(name.split("-")[1])),
  );
  const urls = reports.flatMap((name) => {
    const { result } = JSON.parse(readFileSync(join(coverage, name), "utf8")) as {
      result: readonly { readonly url: string }[];
    };
    return result.map(({ url }) => url);
  });
  return [...new Set(urls)].filter((url) => url.startsWith("file:")).map((url) => url.replace(ROOT, ""));
}

/** A file of dist holds many. */
const modulesOf = (file: string): string[] =>
  file.startsWith("dist/")
    ? modulesIn(readFileSync(new URL(file, ROOT), "utf8")).map(({ module }) => `dist/${module}`)
    : [file];

/** Each is called by the process that has written it. */
const linesIn = (directory: string, isOf: IsOf): string[] =>
  readdirSync(directory)
    .filter((name) => isOf(Number(name)))
    .flatMap((name) => readFileSync(join(directory, name), "utf8").split("\n"));

/** Each costs a look for it, a reading and a check of the code that was kept. */
const MOST_FILES = 12;
const IDLE_MODULES = [
  /node_modules\/(?!sonic-boom\/|atomic-sleep\/)/,
  /^dist\/protocols\/(?:http2|fastcgi|scgi|uwsgi)\/(?!limits\.)/,
  /^dist\/protocols\/cgi\/(?:gateway|listener|program)\./,
  /^dist\/cluster\/(?!messages\.|run\.|scoreboard\.|descriptors\.)/,
  /^dist\/sockets\/tls\/(?!facts\.)/,
  /^dist\/(?:apps|mount|testing)\//,
];
/** `undici` is Node's HTTP client: merely to import node:http loads it. */
const IDLE_BUILTINS = [/^NativeModule .*\b(?:undici|http2|https|tls|zlib|readline|repl)$/];
const IDLE_PYTHON = [
  /^(?:asyncio|concurrent|email|http|inspect|logging|multiprocessing|ssl|subprocess|tempfile|typing|unittest|urllib)\b/,
  /^sallyport\.asgi\b/,
];
/** The supervisor has read the command line and the configuration, and checked them. */
const IDLE_IN_SERVER_PROCESS = [
  /node_modules\/(?!koffi\/|@koromix\/|sonic-boom\/|atomic-sleep\/)/,
  /^dist\/cli\/(?!server-main\.|server-process\.|counts\.)/,
  /^dist\/config\/(?:zod|schema|config|apps|errors|file)\./,
  /^dist\/cluster\/(?!messages\.|run\.|scoreboard\.|descriptors\.)/,
];

const matching = (names: readonly string[], patterns: readonly RegExp[]): string[] =>
  names.filter((name) => patterns.some((pattern) => pattern.test(name)));

test("a server of a WSGI application loads nothing that it has no use for", async (t) => {
  const { files, modules, builtins, python } = await loadedBy(t, ["hello:app"]);
  assert.ok(files.includes("dist/cli/main.js"), "the files are known");
  assert.ok(modules.includes("dist/workers/pool.js") && modules.length > 50, "and what they hold");
  assert.ok(builtins.includes("NativeModule net"), "so are the modules of Node");
  assert.ok(python.includes("sallyport.worker"), "and those of Python");
  assert.ok(files.length <= MOST_FILES, `few files: ${files.join(", ")}`);
  assert.deepEqual(matching(modules, IDLE_MODULES), []);
  assert.deepEqual(matching(builtins, IDLE_BUILTINS), []);
  assert.deepEqual(matching(python, [...IDLE_PYTHON, /^sallyport\.embedded\b/]), []);
});

test("an embedded application's server process loads neither the command line nor the schema", async (t) => {
  const { files, modules, python } = await loadedBy(t, ["hello:app", "--embedded"], false);
  assert.ok(modules.includes("dist/cli/server-process.js") && modules.includes("dist/embedded/library.js"));
  assert.ok(python.includes("sallyport.embedded.application"), "it is the one that runs Python");
  assert.ok(files.length <= MOST_FILES, `few files: ${files.join(", ")}`);
  assert.deepEqual(matching(modules, IDLE_IN_SERVER_PROCESS), []);
  assert.deepEqual(matching(python, [...IDLE_PYTHON, /^_?socket$/]), []);
});
