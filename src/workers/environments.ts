// Virtual environments (PEP 405) around an application: beside it, and in the directories above it that belong to the same
// project. Another user's directory must not choose the interpreter, so the search ends where everybody may write.
// Tested by test/workers/python.test.ts.
import { accessSync, constants, existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** Their usual names, in the order in which they are tried. */
const NAMES = [".venv", "venv"];
/** A directory with one of these is a Python project's: its environment serves the applications below it. */
const PROJECT_FILES =
  "pyproject.toml setup.py setup.cfg requirements.txt Pipfile poetry.lock uv.lock manage.py".split(" ");
/** The search goes no higher than a directory with one of these. */
const REPOSITORIES = [".git", ".hg"];
const MOST_PARENTS = 20;
/** Entries of a directory among which environments of other names are looked for. */
const MOST_ENTRIES = 500;
const WRITABLE_BY_ALL = 0o002;

/** Directories of environments to try, whether they exist or not: those of `directory` first, then those of its projects. */
export const environmentsFor = (directory: string): string[] =>
  [directory, ...parentsOf(directory).filter(isProject)].flatMap(namesIn);

/** All environments, of any name, in `directory` and above it: those that are not tried among them. */
export const environmentsNear = (directory: string): string[] =>
  [directory, ...parentsOf(directory)].flatMap(childrenOf).filter(isEnvironment);

/** The interpreter of the environment. */
export const interpreterOf = (environment: string): string => join(environment, "bin", "python");

/** Whether it was an environment once and has no interpreter any more: what it was made from was removed, or moved. */
export const isBroken = (environment: string): boolean =>
  (isEnvironment(environment) || isLink(interpreterOf(environment))) &&
  !isExecutable(interpreterOf(environment)) &&
  !isForbidden(interpreterOf(environment));

/** Whether this process's user may not enter a directory on the way to a file. */
export function isForbidden(path: string): boolean {
  try {
    statSync(path);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES";
  }
}

/** The directory of the interpreter that it was made from; undefined where it does not say. */
export function baseOf(environment: string): string | undefined {
  try {
    return /^home *= *(.+)$/m.exec(readFileSync(join(environment, "pyvenv.cfg"), "utf8"))?.[1]?.trim();
  } catch {
    return undefined;
  }
}

/** Whether a module can be imported from a directory of packages below `root`: an environment, or the prefix of a Python. */
export const hasModule = (root: string, name: string): boolean =>
  [join(root, "lib"), join(root, "local", "lib")]
    .flatMap((lib) => childrenOf(lib).filter((path) => /\/python3(\.\d+)?$/.test(path)))
    .flatMap((lib) => [join(lib, "site-packages"), join(lib, "dist-packages")])
    .some((packages) => existsSync(join(packages, name)) || existsSync(join(packages, `${name}.py`)));

/** A file, not a directory, that may be executed. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

const isEnvironment = (path: string): boolean => existsSync(join(path, "pyvenv.cfg"));
const isProject = (path: string): boolean => has(path, PROJECT_FILES);
const has = (path: string, names: readonly string[]): boolean =>
  names.some((name) => existsSync(join(path, name)));
const namesIn = (path: string): string[] => NAMES.map((name) => join(path, name));
const isLink = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;

/** The nearest first, up to the repository's root; never a home directory, the root of the system, or one that all may write to. */
function parentsOf(directory: string): string[] {
  const parents: string[] = [];
  let place = directory;
  while (parents.length < MOST_PARENTS && !has(place, REPOSITORIES)) {
    place = dirname(place);
    if (place === dirname(place) || place === homedir() || isWritableByAll(place)) break;
    parents.push(place);
  }
  return parents;
}

function isWritableByAll(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined || (stats.mode & WRITABLE_BY_ALL) !== 0;
}

function childrenOf(path: string): string[] {
  try {
    return readdirSync(path)
      .slice(0, MOST_ENTRIES)
      .map((name) => join(path, name));
  } catch {
    return [];
  }
}
