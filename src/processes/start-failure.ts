// Why a program could not be started. The system has one word for several faults: ENOENT is said of the program, of its
// directory, and of the interpreter that the first line of a script names.
import { closeSync, existsSync, openSync, readSync } from "node:fs";

/** Linux reads no more of the first line (execve(2)). */
const FIRST_LINE = 256;
/** Packages that have a program that is not there, by the beginning of its name. */
const PACKAGES: readonly (readonly [program: RegExp, packages: string])[] = [
  [/^php-cgi/, "php-cgi (Debian, Ubuntu), php-cli (Fedora), php84-cgi (Alpine), php (Homebrew)"],
  [/^php/, "php-cli (Debian, Ubuntu, Fedora), php84 (Alpine), php (Homebrew)"],
];

/** EAGAIN: as a user, in a unit or in a container, too many run already. */
const NO_MORE =
  "the system allows no more processes and threads (rlimits.processes, ulimit -u, TasksMax=, pids.max)";
/** What setpriv(1) and prlimit(1) say when they cannot become the program. */
const NOT_BECOME = /^(?:setpriv|prlimit): failed to execute /;

/** What is wrong where `line`, the last that a process printed, is of a program that set its user or limits; undefined otherwise. */
export function notBecomeText(line: string): string | undefined {
  if (!NOT_BECOME.test(line)) return undefined;
  return line.endsWith("Resource temporarily unavailable") ? `${NO_MORE} (${line})` : line;
}

/** The reason in words, with what to do. `message` is the system's: "spawn php-cgi ENOENT". */
export function startFailureText(command: string, message: string, cwd?: string): string {
  if (message.endsWith("EAGAIN")) return `${NO_MORE} (${message})`;
  if (message.endsWith("ENOENT")) return `${whyNotFound(command, cwd)} (${message})`;
  if (message.endsWith("EACCES")) return `it may not be executed: chmod +x ${command} (${message})`;
  return message;
}

function whyNotFound(command: string, cwd: string | undefined): string {
  if (cwd !== undefined && !existsSync(cwd)) return `its working directory ${cwd} does not exist`;
  if (!command.includes("/")) return `there is no such program on PATH${packagesOf(command)}`;
  if (!existsSync(command)) return "there is no such file";
  return scriptFault(command) ?? "the interpreter that its first line names does not exist";
}

/** What is wrong with the first line of a script; undefined when nothing is. Throws nothing. */
export function scriptFault(file: string): string | undefined {
  const line = firstLine(file);
  const [, interpreter = "", argument = ""] = /^#![ \t]*([^ \t\n]*)[ \t]*([^\n]*)/.exec(line) ?? [];
  if (interpreter === "") return undefined;
  if (/\r/.test(interpreter + argument))
    return `its lines end as on Windows (CR LF), and CR counts as part of the interpreter's name: sed -i 's/\\r$//' ${file}`;
  if (!existsSync(interpreter)) return `its first line names ${interpreter}, which does not exist`;
  return undefined;
}

function packagesOf(command: string): string {
  const found = PACKAGES.find(([program]) => program.test(command));
  return found ? `; packages that have it: ${found[1]}` : "";
}

/** Without its end; "" when it cannot be read. */
function firstLine(file: string): string {
  try {
    const descriptor = openSync(file, "r");
    try {
      const bytes = Buffer.alloc(FIRST_LINE);
      return bytes.toString("latin1", 0, readSync(descriptor, bytes)).split("\n")[0] ?? "";
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return "";
  }
}
