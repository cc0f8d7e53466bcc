// What this machine has for the demonstration: each program is asked for its version.
import { execFile } from "node:child_process";
import { release, type } from "node:os";
import { findPython } from "../workers/index.ts";
import type { Machine } from "./door.ts";

export interface Program {
  /** To be started as. */
  readonly path: string;
  readonly version: string;
}

/** A program, or why there is none and how to get it. */
export type Found = Program | { readonly why: string };

export interface ProgramsHere {
  readonly python: Found;
  readonly php: Found;
  readonly nginx: Found;
}

/** For one program to say its version, in milliseconds. */
const DEADLINE = 30_000;

/** Never rejects. `directory`: where the applications lie. */
export async function programsHere(directory: string): Promise<ProgramsHere> {
  const [python, php, nginx] = await Promise.all([pythonHere(directory), phpHere(), nginxHere()]);
  return { python, php, nginx };
}

export const machineOf = ({ python, php, nginx }: ProgramsHere): Machine => ({
  node: process.versions.node,
  python: versionOf(python),
  php: versionOf(php),
  nginx: versionOf(nginx),
  system: `${type()} ${release()}, ${process.arch}`,
});

export const isHere = (found: Found): found is Program => "path" in found;
const versionOf = (found: Found): string | undefined => (isHere(found) ? found.version : undefined);

/** Its own path: what is on PATH may be a script that finds Python anew at each start. */
const PYTHON_FACTS =
  "import platform, sys; print(sys.executable); print(platform.python_version()); sys.exit(sys.version_info < (3, 9))";

const WITHOUT_PYTHON =
  "Python 3.9 or newer was not found: `apt install python3` (Debian), so that python3 is on PATH, then start the demonstration again";

async function pythonHere(directory: string): Promise<Found> {
  try {
    const found = findPython({ directory });
    const said = await output(found, ["-c", PYTHON_FACTS]);
    const [path = found, version = ""] = said?.split("\n") ?? [];
    if (said !== undefined) return { path, version };
    return { why: `${found} is no Python 3.9 or newer: install one, then start the demonstration again` };
  } catch (error) {
    return { why: process.env.VIRTUAL_ENV ? (error as Error).message : WITHOUT_PYTHON };
  }
}

async function phpHere(): Promise<Found> {
  const [, version] = /^PHP (\S+) \(cgi-fcgi\)/.exec((await output("php-cgi", ["-v"])) ?? "") ?? [];
  if (version) return { path: "php-cgi", version };
  return {
    why: "php-cgi is not installed: `apt install php-cgi` (Debian), then start the demonstration again",
  };
}

/** It is often in a directory for administrators, which is not on everybody's PATH. */
async function nginxHere(): Promise<Found> {
  for (const path of ["nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"]) {
    const [, version] = /nginx\/(\S+)/.exec((await output(path, ["-v"])) ?? "") ?? [];
    if (version) return { path, version };
  }
  return {
    why: "nginx is not installed: `apt install nginx-light` (Debian), then start the demonstration again",
  };
}

/** What it prints; undefined when it is not here, fails or takes too long. */
function output(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: DEADLINE }, (error, stdout, stderr) =>
      resolve(error ? undefined : `${stdout}${stderr}`.trim()),
    );
  });
}
