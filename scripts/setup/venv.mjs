// The Python virtual environment of the checkout, `.venv`: made once, filled with the newest versions of a list.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { debianPackages } from "./debian.mjs";
import { output, run, say } from "./programs.mjs";
import { findPythons } from "./pythons.mjs";

/** Puts the packages of `lists[kind]` into `.venv`. Gives one line for each thing that could not be had. */
export function venvPackages(root, kind, names) {
  const python = join(root, ".venv", "bin", "python");
  const problem = makeVenv(root, python);
  if (problem) return [problem];
  const stamp = join(root, ".venv", `sallyport-${kind}.stamp`);
  const wanted = digest([output(python, ["-V"]), ...names]);
  if (read(stamp) === wanted) return [];
  say(`installing into .venv: ${names.join(", ")}`);
  const missing = pip(python, names);
  if (missing.length === 0) writeFileSync(stamp, wanted);
  return missing;
}

function makeVenv(root, python) {
  if (existsSync(python) && output(python, ["-m", "pip", "--version"])) return undefined;
  const base = capable() ?? capableAfterInstall();
  if (!base)
    return "Python virtual environment: no CPython 3.9+ with ensurepip here (Debian: apt-get install python3-venv)";
  say(`making .venv with Python ${base.version}`);
  rmSync(join(root, ".venv"), { recursive: true, force: true });
  mkdirSync(join(root, ".venv"));
  const failure = run(base.path, ["-m", "venv", join(root, ".venv")]);
  return failure && `Python virtual environment: ${failure}`;
}

/** The newest interpreter that can make virtual environments. */
const capable = () => findPythons().find(({ ensurepip }) => ensurepip);

/** Debian keeps that ability in a package of its own. */
function capableAfterInstall() {
  debianPackages([{ package: "python3-venv", probe: { run: ["python3", "-c", "import ensurepip"] } }]);
  return capable();
}

/** All at once; when that fails, one by one, so that one bad package does not take the others along. */
function pip(python, names) {
  const install = (...packages) =>
    run(python, ["-m", "pip", "install", "--quiet", "--upgrade", "--disable-pip-version-check", ...packages]);
  if (!install(...names)) return [];
  const missing = [];
  for (const name of names) {
    const failure = install(name);
    if (failure) missing.push(`Python package ${name}: ${failure.trim().split("\n").at(-1)}`);
  }
  return missing;
}

const digest = (parts) => createHash("sha256").update(parts.join("\n")).digest("hex");

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
