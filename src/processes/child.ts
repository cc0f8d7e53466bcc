// One child process, from start to reaping: in a process group of its own, its output cut into lines, its end told once.
// `startChild` forks this very process, which stalls it (docs/decisions/0002-spawning.md): right for processes that
// live long. For a process per request there is the launcher.
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import type { Readable, Stream } from "node:stream";
import { SallyportError } from "../exchange/index.ts";
import type { Exit } from "./exit.ts";
import { enlistGroup, releaseGroup, signalGroup } from "./groups.ts";
import { LineCutter } from "./lines.ts";

/** What a descriptor of the child is: a socket pair, nothing, our log, or a stream that is handed down. */
export type Descriptor = "pipe" | "ignore" | "lines" | Stream;

export interface SpawnOptions {
  readonly command: string;
  readonly args?: readonly string[];
  /** The complete environment: nothing of ours is added. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** By descriptor number. Default: `["ignore", "lines", "lines"]`. */
  readonly stdio?: readonly Descriptor[];
  /** Takes each line of the descriptors that are "lines", with control characters escaped. */
  readonly online?: (line: string, descriptor: number) => void;
}

export interface Child {
  /** undefined when it could not be started. Also the number of its process group. */
  readonly pid: number | undefined;
  /** Our ends, by descriptor; only where "pipe" was asked for. */
  readonly streams: readonly (Socket | undefined)[];
  /** Its end. Never rejects: a child that could not be started has a `failure`. */
  readonly exited: Promise<Exit>;
  /** Signals its whole group, as long as the child lives. */
  signal(signal: NodeJS.Signals): void;
  /** TERM to the group; KILL when the child has not ended `grace` milliseconds later, and to what outlives it. */
  stop(grace: number): Promise<Exit>;
}

export function startChild(options: SpawnOptions): Child {
  const stdio = options.stdio ?? ["ignore", "lines", "lines"];
  const child = begin(options, stdio);
  if (child.pid !== undefined) enlistGroup(child.pid);
  const lines = collectLines(child, stdio, options.online);
  const exited = awaitExit(child, options.command, lines);
  return {
    pid: child.pid,
    streams: stdio.map((kind, at) => (kind === "pipe" ? pipeEnd(child, at) : undefined)),
    exited,
    signal: (signal) => signalLiving(child, signal),
    stop: (grace) => stopGroup(child, exited, grace),
  };
}

function begin(options: SpawnOptions, stdio: readonly Descriptor[]): ChildProcess {
  return spawn(options.command, [...(options.args ?? [])], {
    stdio: stdio.map((kind) => (kind === "lines" ? "pipe" : kind)),
    env: { ...options.env },
    detached: true,
    windowsHide: true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
}

/** An end that breaks is the same as one that closes: whoever uses it learns of the child's end from `exited`. */
function pipeEnd(child: ChildProcess, at: number): Socket | undefined {
  const end = child.stdio[at] as Socket | null | undefined;
  end?.on("error", () => end.destroy());
  return end ?? undefined;
}

function collectLines(
  child: ChildProcess,
  stdio: readonly Descriptor[],
  online: SpawnOptions["online"],
): Readable[] {
  const ends: Readable[] = [];
  stdio.forEach((kind, at) => {
    const end = kind === "lines" ? pipeEnd(child, at) : undefined;
    if (!end) return;
    cutLines(end, (line) => online?.(line, at));
    ends.push(end);
  });
  return ends;
}

/** Gives every line that `end` brings to `online`. */
export function cutLines(end: Readable, online: (line: string) => void): void {
  const cutter = new LineCutter(online);
  end.on("data", (chunk: Buffer) => cutter.push(chunk));
  end.once("close", () => cutter.end());
}

function awaitExit(child: ChildProcess, command: string, lines: readonly Readable[]): Promise<Exit> {
  return new Promise((resolve) => {
    child.once("error", (cause) => {
      if (child.pid === undefined)
        resolve({ code: null, signal: null, failure: spawnFailure(command, cause) });
    });
    child.once("exit", (code, signal) => {
      if (child.pid !== undefined) releaseGroup(child.pid);
      for (const end of lines) giveUpLines(end);
      resolve({ code, signal });
    });
  });
}

/** How long a grandchild may go on printing to our log when the child itself has ended. */
const LINES_AFTER_EXIT = 2000;

function giveUpLines(end: Readable): void {
  const timer = setTimeout(() => end.destroy(), LINES_AFTER_EXIT);
  end.once("close", () => clearTimeout(timer));
}

export const spawnFailure = (command: string, cause: Error): SallyportError =>
  new SallyportError("SPAWN_FAILED", `${command} could not be started: ${cause.message}`, { cause });

const hasExited = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

function signalLiving(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid !== undefined && !hasExited(child)) signalGroup(child.pid, signal);
}

async function stopGroup(child: ChildProcess, exited: Promise<Exit>, grace: number): Promise<Exit> {
  const { pid } = child;
  if (pid === undefined || hasExited(child)) return exited;
  signalGroup(pid, "SIGTERM");
  const kill = setTimeout(signalGroup, grace, pid, "SIGKILL");
  const exit = await exited;
  clearTimeout(kill);
  signalGroup(pid, "SIGKILL");
  return exit;
}
