// `npm run check`: format, lint and types of everything, and that the generated documentation is current. Warnings are
// errors. Runs on bare Node and installs what it needs.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT, setUpNode } from "./setup/setup.mjs";

const bin = (name) => join(ROOT, "node_modules", ".bin", name);
const ruff = join(ROOT, ".venv", "bin", "ruff");

const CHECKS = [
  ["biome (format and lint)", bin("biome"), ["check", "--error-on-warnings", "."]],
  ["types of src", bin("tsc"), ["--noEmit", "-p", "."]],
  ["types of test and examples", bin("tsc"), ["-p", "test"]],
  ["docs are current", process.execPath, ["--import", "tsx", "scripts/docs.mjs", "--check"]],
  ["ruff (Python lint)", ruff, ["check", "python", "src", "test", "examples"]],
  ["ruff (Python format)", ruff, ["format", "--check", "python", "src", "test", "examples"]],
];

/** Runs one check; gives "ok", "failed" or "skipped". */
function outcome([name, program, args]) {
  if (program === ruff && !existsSync(ruff)) {
    console.error(`!!! ${name}: SKIPPED, ruff is not installed; npm test sets it up in .venv`);
    return process.env.CI === "true" ? "failed" : "skipped";
  }
  console.error(`--- ${name}`);
  const { status, error } = spawnSync(program, args, { cwd: ROOT, stdio: "inherit" });
  if (error) console.error(error.message);
  return status === 0 ? "ok" : "failed";
}

setUpNode();
const outcomes = CHECKS.map(outcome);
const count = (wanted) => outcomes.filter((each) => each === wanted).length;
console.error(`${count("ok")} checks passed, ${count("failed")} failed, ${count("skipped")} skipped`);
process.exitCode = count("failed") === 0 ? 0 : 1;
