// The npm dependencies: installed when they are missing or are not those of the lock file.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run, say } from "./programs.mjs";

/** Installs what package-lock.json asks for. Gives what went wrong, undefined when all is well. */
export function npmPackages(root) {
  if (installed(root)) return undefined;
  const fresh = !existsSync(join(root, "node_modules"));
  say(fresh ? "installing the npm packages" : "bringing the npm packages up to package-lock.json");
  return run("npm", [fresh ? "ci" : "install", "--no-audit", "--no-fund"], { cwd: root });
}

/** Whether node_modules holds every package of the lock file in its version (optional ones may be of other platforms). */
function installed(root) {
  const wanted = packages(join(root, "package-lock.json"));
  const present = packages(join(root, "node_modules", ".package-lock.json"));
  if (!wanted || !present) return false;
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === "" || optional || present[path]?.version === version,
  );
}

function packages(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages;
  } catch {
    return undefined;
  }
}
