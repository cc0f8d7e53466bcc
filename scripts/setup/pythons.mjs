// The CPython interpreters of this machine that we support (3.9 and newer), found by name and checked by running them.
import { readdirSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { output } from "./programs.mjs";

const OLDEST = 9;
const NEWEST = 19;

const ASK = `import sys, importlib.util as u
print(sys.implementation.name, "%d.%d.%d" % sys.version_info[:3], sys.executable, bool(u.find_spec("ensurepip")))`;

/**
 * Every interpreter, newest first, one for each minor version: `{ path, version: "3.12.1", minor: 12, ensurepip }`. With
 * the root of the checkout also those in its cache: fit to run programs, not to install packages for.
 */
export function findPythons(root) {
  const found = new Map();
  for (const path of candidates(root)) {
    const python = ask(path);
    if (python && !found.has(python.minor)) found.set(python.minor, python);
  }
  return [...found.values()].sort((a, b) => b.minor - a.minor);
}

function* candidates(root) {
  const seen = new Set();
  for (const path of [...fromPyenv(), ...fromPath(), ...(root ? fromCache(root) : [])]) {
    const real = resolve(path);
    if (!real || seen.has(real)) continue;
    seen.add(real);
    yield path;
  }
}

function* fromPyenv() {
  const versions = join(process.env.PYENV_ROOT ?? join(homedir(), ".pyenv"), "versions");
  for (const name of list(versions).sort(newestFirst)) yield join(versions, name, "bin", "python");
}

function* fromPath() {
  const names = ["python3"];
  for (let minor = NEWEST; minor >= OLDEST; minor--) names.push(`python3.${minor}`);
  for (const folder of (process.env.PATH ?? "").split(delimiter).filter(Boolean))
    for (const name of names) yield join(folder, name);
}

/** See more-pythons.mjs. */
function* fromCache(root) {
  const cache = join(root, ".cache", "pythons");
  for (const version of list(cache))
    for (const name of list(join(cache, version), { recursive: true }))
      if (name.endsWith(`/bin/python${version}`)) yield join(cache, version, name);
}

/** What the interpreter says of itself; undefined when it does not run, is too old, or is not CPython. */
function ask(path) {
  const [name, version, executable, ensurepip] = output(path, ["-c", ASK], 20_000)?.trim().split(" ") ?? [];
  const [major, minor] = (version ?? "").split(".").map(Number);
  if (name !== "cpython" || major !== 3 || minor < OLDEST) return undefined;
  return { path: executable, version, minor, ensurepip: ensurepip === "True" };
}

const newestFirst = (a, b) => b.localeCompare(a, "en", { numeric: true });

function list(folder, options) {
  try {
    return readdirSync(folder, options);
  } catch {
    return [];
  }
}

function resolve(path) {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
