// What a test needs from outside Node: programs, and modules of the checkout's Python environment. For a person
// what is missing skips the test and says so; in CI nothing may be missing.
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const VENV = fileURLToPath(new URL("../../.venv/bin", import.meta.url));

/** The interpreter that has the frameworks; made by `npm test`. */
export const VENV_PYTHON: string = join(VENV, "python");

const FIND = "import sys, importlib.util as u; sys.exit(u.find_spec(sys.argv[1]) is None)";

/**
 * Skips the test, and gives false, when one of the names is not here; with CI=true it fails instead.
 * A name is a program ("git") or a Python module ("py:flask"). Use: `if (!needs(t, "git")) return;`
 */
export function needs(t: TestContext, ...names: string[]): boolean {
  const reason = missing(...names);
  if (reason !== false) t.skip(reason);
  return reason === false;
}

/** The same for a whole suite: `describe("flask", { skip: missing("py:flask") }, ...)`. Throws with CI=true. */
export function missing(...names: string[]): string | false {
  const absent = names.filter((name) => !isHere(name));
  if (absent.length === 0) return false;
  const reason = `not on this machine: ${absent.join(", ")}`;
  if (process.env.CI === "true") throw new Error(reason);
  return reason;
}

const known = new Map<string, boolean>();

function isHere(name: string): boolean {
  let here = known.get(name);
  if (here === undefined) {
    here = name.startsWith("py:") ? hasModule(name.slice(3)) : findProgram(name) !== undefined;
    known.set(name, here);
  }
  return here;
}

const hasModule = (name: string): boolean => spawnSync(VENV_PYTHON, ["-c", FIND, name]).status === 0;

/** The full path of a program: in the Python environment, or on PATH. */
export function findProgram(name: string): string | undefined {
  const folders = [VENV, ...(process.env.PATH ?? "").split(delimiter)];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
