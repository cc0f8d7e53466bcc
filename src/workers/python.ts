// Finds the Python interpreter of an application: the one that was named, or a virtual environment's, or python3.
import { statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { SallyportError } from "../exchange/index.ts";
import {
  baseOf,
  environmentsFor,
  interpreterOf,
  isBroken,
  isExecutable,
  isForbidden,
} from "./environments.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface PythonSearch {
  /** As the user named it: a path, or a program on PATH. */
  readonly python?: string | undefined;
  /** The application's directory; its `.venv` and `venv` are candidates, and those of the projects around it. */
  readonly directory: string;
  readonly env?: Environment;
}

/** Without an interpreter of their own to name, applications run in the program of this name. */
const DEFAULT = "python3";

/** The path of the interpreter. Throws a SallyportError (PYTHON_NOT_FOUND) that says what is missing. */
export function findPython({ python, directory, env = process.env }: PythonSearch): string {
  if (python) return named(python, env);
  const environments = searchedEnvironments(directory, env);
  for (const environment of environments) {
    if (isBroken(environment)) throw broken(environment);
    if (isForbidden(interpreterOf(environment))) throw notAt(interpreterOf(environment));
    if (isExecutable(interpreterOf(environment))) return interpreterOf(environment);
  }
  const found = onPath(DEFAULT, env);
  if (found) return found;
  const tried = [...environments.map(interpreterOf), DEFAULT].join(", ");
  throw unusable(`no Python interpreter at ${tried}; install Python 3.9 or newer, or name one with --python`);
}

/** Directories in which a virtual environment is looked for, in this order. */
export const searchedEnvironments = (directory: string, env: Environment = process.env): string[] => [
  ...new Set([...(env.VIRTUAL_ENV ? [resolve(env.VIRTUAL_ENV)] : []), ...environmentsFor(directory)]),
];

/** The interpreter that runs where there is no virtual environment. */
export const defaultPython = (env: Environment = process.env): string | undefined => onPath(DEFAULT, env);

function named(python: string, env: Environment): string {
  if (!python.includes("/")) {
    const found = onPath(python, env);
    if (found) return found;
    throw unusable(`no Python interpreter at ${python}: there is no such program on PATH; check --python`);
  }
  const path = resolve(python);
  if (isExecutable(path)) return path;
  const environment = path.replace(/\/bin\/[^/]+$/, "");
  if (environment !== path && isBroken(environment)) throw broken(environment);
  throw notAt(path);
}

const notAt = (path: string): SallyportError =>
  unusable(`no Python interpreter at ${path}: ${whyNot(path)}; check --python`);

function whyNot(path: string): string {
  if (isForbidden(path)) return "this process's user may not enter a directory on the way to it";
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return "there is no such file";
  if (!stats.isDirectory()) return "it is not executable";
  return isExecutable(interpreterOf(path))
    ? `it is a virtual environment, whose interpreter is ${interpreterOf(path)}`
    : "it is a directory";
}

function broken(environment: string): SallyportError {
  const base = baseOf(environment);
  const cause = base
    ? `it was made from the Python in ${base}, which is gone or has moved`
    : "it has no Python";
  return unusable(
    `the virtual environment ${environment} is broken: ${cause}; make it again (python3 -m venv --clear ${environment}), ` +
      "or name another interpreter with --python",
  );
}

function onPath(program: string, { PATH = "" }: Environment): string | undefined {
  const places = PATH.split(delimiter).filter((directory) => directory !== "");
  return places.map((directory) => join(directory, program)).find(isExecutable);
}

const unusable = (message: string): SallyportError => new SallyportError("PYTHON_NOT_FOUND", message);
