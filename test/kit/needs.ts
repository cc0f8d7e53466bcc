// What a test needs from outside Node: programs on PATH, and modules of the checkout's Python environment. For a person
// what is missing skips the test and says so; in CI nothing may be missing.
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

/** The interpreter that has the frameworks; made by `npm test`. */
export const VENV_PYTHON: string = fileURLToPath(new URL("../../.venv/bin/python", import.meta.url));

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
    here = name.startsWith("py:") ? hasModule(name.slice(3)) : onPath(name);
    known.set(name, here);
  }
  return here;
}

const hasModule = (name: string): boolean => spawnSync(VENV_PYTHON, ["-c", FIND, name]).status === 0;

function onPath(name: string): boolean {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      // Not in this one.
    }
  }
  return false;
}
