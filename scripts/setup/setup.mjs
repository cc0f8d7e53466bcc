// Everything that has to be here before tests or benchmarks run. Safe to call each time: what is here is left alone.
import { fileURLToPath } from "node:url";
import { compilePythonModules } from "./bytecode.mjs";
import { debianPackages } from "./debian.mjs";
import { CPYTHON, DEBIAN, NODE, PYTHON } from "./lists.mjs";
import { morePythons } from "./more-pythons.mjs";
import { nodeVersions } from "./nodes.mjs";
import { npmPackages } from "./npm.mjs";
import { run } from "./programs.mjs";
import { venvPackages } from "./venv.mjs";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Dependencies and build, without which nothing runs. Throws a one-line error with the tool's own words. */
export function setUpNode() {
  const packages = npmPackages(ROOT);
  if (packages) throw new Error(`the npm packages could not be installed:\n${packages}`);
  const build = run("npm", ["run", "--silent", "build"], { cwd: ROOT });
  if (build) throw new Error(`the build failed:\n${build}`);
}

/** What one kind of run ("test", "bench") needs beyond Node. Gives one line for each thing that could not be had. */
export function setUpPeers(kind) {
  morePythons(ROOT, CPYTHON[kind]);
  compilePythonModules(ROOT);
  return [
    ...debianPackages(DEBIAN[kind]),
    ...(PYTHON[kind] ? venvPackages(ROOT, kind, PYTHON[kind]) : []),
    ...nodeVersions(ROOT, NODE[kind]),
  ];
}
