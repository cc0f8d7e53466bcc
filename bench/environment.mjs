// What the bench runs on: several Nodes, several CPythons, each of these with the newest peers in an environment of its own
// (`.cache/bench/py3.13`), so that the tests' environment is not changed by what is only measured against.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PEERS } from "../scripts/setup/lists.mjs";
import { nodeProgram, nodeVersions } from "../scripts/setup/nodes.mjs";
import { output, run, say } from "../scripts/setup/programs.mjs";
import { findPythons } from "../scripts/setup/pythons.mjs";
import { ROOT } from "../scripts/setup/setup.mjs";

const FOLDER = join(ROOT, ".cache", "bench");
const NODES = join("bench", "nodes");

/** What is in it: `{"versions": {"granian": "2.8.7"}, "modules": ["bjoern"]}`. */
const CONTENT = `
import importlib.metadata, importlib.util, json, sys
versions = {}
for name in sys.argv[1:]:
    try:
        versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
modules = [name for name in sys.argv[1:] if importlib.util.find_spec(name.replace("-", "_"))]
print(json.dumps({"versions": versions, "modules": modules}))
`;

/** Node of each major version: `{ major, program, version }`, with a `problem` where it could not be had. */
export function nodesFor(majors) {
  return majors.map((major) => {
    const program = nodeOf(major);
    const version = output(program, ["-v"])?.trim();
    return { major, program, version, problem: version ? undefined : `Node ${major} could not be had` };
  });
}

/** The one that runs us, one that the tests have, or one of our own. */
function nodeOf(major) {
  if (process.versions.node.split(".")[0] === major) return process.execPath;
  const tested = nodeProgram(ROOT, major);
  if (existsSync(tested)) return tested;
  nodeVersions(ROOT, [major], NODES);
  return nodeProgram(ROOT, major, NODES);
}

/**
 * CPython of each minor version ("3.13"), or the newest for "newest": `{ name, version, program, versions, modules,
 * missing }`, where `program` is that of its environment, and `missing` has a line for each package that could not be had.
 */
export const pythonsFor = (names) => names.map(pythonOf);

function pythonOf(wanted) {
  const fit = findPythons().filter(({ ensurepip }) => ensurepip);
  const base = wanted === "newest" ? fit[0] : fit.find(({ minor }) => `3.${minor}` === wanted);
  if (!base) return absent(wanted);
  const folder = join(FOLDER, `py3.${base.minor}`);
  const program = join(folder, "bin", "python");
  const missing = fill(folder, program, base);
  const names = PEERS.map((name) => name.replace(/[[><=].*/, ""));
  const content = JSON.parse(output(program, ["-c", CONTENT, ...names]) ?? '{"versions":{},"modules":[]}');
  return { name: `3.${base.minor}`, version: base.version, program, missing, ...content };
}

const absent = (wanted) => ({
  name: wanted,
  version: wanted,
  problem: `there is no CPython ${wanted} here that can make environments`,
  missing: [`CPython ${wanted}: not here`],
  versions: {},
  modules: [],
});

/** Makes the environment and puts the newest packages into it, unless that was done today. */
function fill(folder, program, base) {
  const stamp = join(folder, "sallyport.json");
  const today = new Date().toISOString().slice(0, 10);
  const wanted = digest([base.version, today, ...PEERS]);
  const done = existsSync(stamp) ? JSON.parse(readFileSync(stamp, "utf8")) : {};
  if (done.wanted === wanted) return done.missing;
  say(`installing the newest peers for CPython ${base.version}`);
  if (!output(program, ["-m", "pip", "--version"])) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const failure = run(base.path, ["-m", "venv", folder]);
    if (failure) return [`environment of CPython ${base.version}: ${lastLine(failure)}`];
  }
  // One by one: some are compiled on the spot, and one that does not compile shall not take the others along.
  const missing = PEERS.flatMap((name) => {
    const failure = run(program, ["-m", "pip", "install", "--quiet", "--upgrade", name]);
    return failure ? [`${name} for CPython ${base.version}: ${lastLine(failure)}`] : [];
  });
  writeFileSync(stamp, JSON.stringify({ wanted, missing }));
  return missing;
}

const lastLine = (text) => text.trim().split("\n").at(-1);
const digest = (parts) => createHash("sha256").update(parts.join("\n")).digest("hex");
