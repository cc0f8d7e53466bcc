// An application's processes as another user and within limits. Node's own `spawn` knows users, but neither their groups nor
// limits, and this process must not change its own for a moment. So programs of the system set them and then become the
// program (exec): prlimit(1) first, as only root may raise a limit, then setpriv(1), whose children they never are.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { SallyportError } from "../exchange/index.ts";
import type { IsolationOptions, ResourceLimits } from "../options/isolation.ts";
import { type Account, accountOf } from "./accounts.ts";
import { startChild } from "./child.ts";
import { describeExit } from "./exit.ts";

export interface Isolation {
  /** The command line that a program's own is added to; empty when nothing was asked for. */
  readonly prefix: readonly string[];
  /** HOME, USER and LOGNAME of another user. */
  readonly env: Readonly<Record<string, string>>;
  /** The group of another user, which must be able to read what we write for it. */
  readonly gid: number | undefined;
}

export const NOT_ISOLATED: Isolation = { prefix: [], env: {}, gid: undefined };

/** What a process needs in order to run: checked as its user. */
export interface Needs {
  /** Where it is to run. */
  readonly directory?: string | undefined;
  readonly readable?: readonly string[];
  readonly executable?: readonly string[];
}

interface Command {
  readonly command: string;
  readonly args: readonly string[];
}

/** The command line that runs `command` in isolation. */
export function isolated(command: string, args: readonly string[], { prefix }: Isolation): Command {
  const [first, ...rest] = prefix;
  return first === undefined ? { command, args } : { command: first, args: [...rest, command, ...args] };
}

/**
 * Rejects with CONFIG_INVALID for a user or group that is not there, or that only root may become, and with SPAWN_FAILED when
 * no process can be started so, or cannot reach what it `needs`. `name`: of the application, for messages.
 */
export async function isolationOf(
  options: IsolationOptions,
  name: string,
  needs: Needs = {},
): Promise<Isolation> {
  const isolation = await isolationFor(options);
  if (isolation.prefix.length > 0) await tryOut(isolation, name, needs);
  return isolation;
}

async function isolationFor(options: IsolationOptions): Promise<Isolation> {
  const { umask, rlimits = {} } = options;
  const other = await accountOf(options, "an app", ADVICE);
  const prefix = [...umaskPrefix(umask), ...limitPrefix(rlimits), ...userPrefix(other)];
  return { prefix, env: homeOf(other), gid: other?.gid };
}

// The user.

const ADVICE =
  "start the server as root, and without a user of its own, or leave user and group of the app out";

function userPrefix(other: Account | undefined): string[] {
  if (!other) return [];
  // setpriv finds the groups of the user that it is given; a number without an entry has none.
  const groups = other.name === undefined ? "--clear-groups" : "--init-groups";
  return [tool("setpriv"), `--reuid=${other.uid}`, `--regid=${other.gid}`, groups, "--"];
}

function homeOf(other: Account | undefined): Record<string, string> {
  if (other?.name === undefined) return {};
  return { HOME: other.home || "/", USER: other.name, LOGNAME: other.name };
}

// The limits.

type Resource = keyof ResourceLimits;

/** The options of prlimit(1). After SIGXCPU a process has a second more. */
const LIMIT: Readonly<Record<Resource, (amount: number) => string>> = {
  openFiles: (count) => `--nofile=${count}:${count}`,
  memory: (bytes) => `--as=${bytes}:${bytes}`,
  cpuTime: (time) => `--cpu=${Math.ceil(time / 1000)}:${Math.ceil(time / 1000) + 1}`,
  processes: (count) => `--nproc=${count}:${count}`,
  core: (bytes) => `--core=${bytes}:${bytes}`,
  fileSize: (bytes) => `--fsize=${bytes}:${bytes}`,
};

function limitPrefix(limits: ResourceLimits): string[] {
  const given = (Object.entries(limits) as [Resource, number | undefined][]).flatMap(([name, amount]) =>
    amount === undefined ? [] : LIMIT[name](amount),
  );
  return given.length === 0 ? [] : [tool("prlimit"), ...given, "--"];
}

/** There is no program but the shell that sets it. */
const umaskPrefix = (umask: number | undefined): string[] =>
  umask === undefined ? [] : ["/bin/sh", "-c", 'umask "$0" && exec "$@"', umask.toString(8).padStart(3, "0")];

/** By its path: the application's PATH may be another one. */
function tool(name: string): string {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
  const found = folders
    .map((folder) => folder && join(folder, name))
    .find((path) => path && existsSync(path));
  if (found) return found;
  const message = `the program ${name} is missing, which sets users or limits of apps: install util-linux`;
  throw new SallyportError("SPAWN_FAILED", message);
}

// The trial.

const TRIAL = `
cd -- "$1" 2>/dev/null || { echo "it cannot enter $1" >&2; exit 1; }
shift
while [ "$1" != -- ]; do [ -r "$1" ] || { echo "it cannot read $1" >&2; exit 1; }; shift; done
shift
for each do [ -x "$each" ] || { echo "it cannot execute $each" >&2; exit 1; }; done
`;
/** Milliseconds for a shell to start. */
const PATIENCE = 10_000;

async function tryOut(isolation: Isolation, name: string, needs: Needs): Promise<void> {
  const { directory = "/", readable = [], executable = [] } = needs;
  const lines: string[] = [];
  const child = startChild({
    ...isolated("/bin/sh", ["-c", TRIAL, "sh", directory, ...readable, "--", ...executable], isolation),
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin" },
    cwd: "/",
    onLine: (line) => lines.push(line),
  });
  const timer = setTimeout(() => child.signal("SIGKILL"), PATIENCE);
  const exit = await child.exited;
  clearTimeout(timer);
  await child.printed;
  if (exit.code === 0) return;
  const [first = `a shell ${describeExit(exit)}`] = lines;
  throw new SallyportError(
    "SPAWN_FAILED",
    `${name} cannot be run ${manner(isolation)}: ${first}${adviceFor(first)}`,
  );
}

const manner = ({ gid, env }: Isolation): string =>
  gid === undefined ? "within its limits" : `as user ${env.USER ?? "without a name"}`;

function adviceFor(line: string): string {
  if (/prlimit/.test(line)) return " (a limit above the hard limit needs root: lower it in rlimits)";
  if (/^it cannot/.test(line)) return "; give that user access, to the directories above as well";
  return "";
}
