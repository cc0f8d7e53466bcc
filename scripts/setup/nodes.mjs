// More versions of Node than the one that runs us, for what depends on what is inside Node: `.cache/nodes/24/...`.
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { output, run, say } from "./programs.mjs";

/** Where the program of a major version is, or would be; `kept` is a folder in the cache. */
export const nodeProgram = (root, major, kept = "nodes") =>
  join(root, ".cache", kept, major, "node_modules", "node", "bin", "node");

/** Installs the newest of each major version. Gives one line for each that could not be had. */
export const nodeVersions = (root, majors, kept = "nodes") =>
  majors.flatMap((major) => install(root, major, kept));

function install(root, major, kept) {
  const program = nodeProgram(root, major, kept);
  if (existsSync(program) && output(program, ["-v"])) return [];
  say(`installing Node ${major}`);
  const folder = join(root, ".cache", kept, major);
  mkdirSync(folder, { recursive: true });
  const failure = run("npm", ["install", "--no-audit", "--no-fund", "--prefix", folder, `node@${major}`], {
    cwd: folder,
  });
  if (output(program, ["-v"])) return [];
  return [`Node ${major}: ${failure?.trim().split("\n").at(-1) ?? "not found after its installation"}`];
}
