// Debian packages: installed when something they bring is missing and we are allowed to (root on a Debian system).
import { existsSync } from "node:fs";
import { output, run, say, which } from "./programs.mjs";

const QUIET = { DEBIAN_FRONTEND: "noninteractive" };

function isHere({ program, file, run: command }) {
  if (program) return which(program) !== undefined;
  if (file) return existsSync(file);
  return output(command[0], command.slice(1)) !== undefined;
}

/** Installs the packages of the list whose probe fails. Gives one line for each that is still missing. */
export function debianPackages(list) {
  const missing = list.filter(({ probe }) => !isHere(probe)).map((item) => item.package);
  if (missing.length === 0) return [];
  const refusal = permission();
  if (refusal) return missing.map((name) => `Debian package ${name}: ${refusal}`);
  return install(list, missing);
}

function permission() {
  if (!which("apt-get")) return "there is no apt-get here; install it by hand";
  if (process.getuid?.() !== 0) return "installing needs root; run: sudo apt-get install, then again";
  return undefined;
}

function install(list, names) {
  say(`installing the Debian packages ${names.join(", ")}`);
  const stale = run("apt-get", ["update", "-qq"], { env: QUIET });
  const args = ["install", "-y", "-qq", "--no-install-recommends", ...names];
  const failure = run("apt-get", args, { env: QUIET }) ?? stale;
  const absent = list.filter((item) => names.includes(item.package) && !isHere(item.probe));
  return absent.map(
    (item) => `Debian package ${item.package}: ${lastLine(failure) ?? "not found after its installation"}`,
  );
}

const lastLine = (text) => text?.trim().split("\n").at(-1);
