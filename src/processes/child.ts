// One child process, from start to reaping: in a process group of its own, its output split into lines, its exit reported
// once. `startChild` forks this very process, which stalls it (docs/decisions/0002-spawning.md): right for processes that
// live long. For a process per request there is the launcher.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import type { Socket } from "node:net";
import type { Stream } from "node:stream";
import { SallyportError } from "../exchange/index.ts";
import { timerDelay } from "../exchange/wait.ts";
import type { Exit } from "./exit.ts";
import { enlistGroup, releaseGroup, signalGroup, sweepGroup } from "./groups.ts";
import { discardPipe, makePipes, type Pipe } from "./pipes.ts";
import { type Readers, readLines } from "./printing.ts";
import { startFailureText } from "./start-failure.ts";

/** A descriptor of the child: a socket pair, nothing, a pipe of lines for our log, or a stream or descriptor of ours that it inherits. */
export type Descriptor = "pipe" | "ignore" | "lines" | Stream | number;

/** `Readers` for the descriptors that are "lines". */
export interface SpawnOptions extends Readers {
  readonly command: string;
  readonly args?: readonly string[];
  /** The complete environment: nothing of ours is added. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** By descriptor number. Default: `["ignore", "lines", "lines"]`. */
  readonly stdio?: readonly Descriptor[];
  /** Whether the guard ends it when this process is killed; default true. */
  readonly guarded?: boolean;
}

export interface Child {
  /** Also the number of its process group; undefined when it could not be started. */
  readonly pid: number | undefined;
  /** Our ends, by descriptor; only where "pipe" was asked for. */
  readonly streams: readonly (Socket | undefined)[];
  /** Never rejects: a child that could not be started has a `failure`. */
  readonly exited: Promise<Exit>;
  /** Resolves when `onLine` has got all output: after `exited`, within two seconds. */
  readonly printed: Promise<void>;
  /** Signals its whole group, as long as the child lives. */
  signal(signal: NodeJS.Signals): void;
  /** TERM to the group; KILL when the child has not exited `grace` milliseconds later, and to processes that outlive it. */
  stop(grace: number): Promise<Exit>;
  /** KILL to the processes that the child left in its group when it exited. */
  sweep(): void;
}

export function startChild(options: SpawnOptions): Child {
  const stdio = options.stdio ?? DEFAULT_STDIO;
  const pipes = pipesFor(stdio);
  const child = begin(options, stdio, pipes);
  if (child instanceof Error) {
    for (const pipe of pipes.values()) discardPipe(pipe);
    return failedChild(options.command, child, options.cwd);
  }
  for (const { writer } of pipes.values()) closeSync(writer);
  const { pid } = child;
  if (pid !== undefined) enlistGroup(pid, options.guarded ?? true);
  let signalled = false;
  const exited = awaitExit(child, options).then((exit) => ({ ...exit, signalled }));
  return {
    pid,
    streams: stdio.map((kind, at) => (kind === "pipe" ? ourEnd(child, at) : undefined)),
    exited,
    printed: readLines(lineEnds(child, stdio, pipes), exited, options),
    signal: (signal) => {
      signalled = true;
      signalLiving(child, signal);
    },
    stop: (grace) => {
      signalled = true;
      return stopGroup(child, exited, grace);
    },
    sweep: () => pid !== undefined && sweepGroup(pid),
  };
}

export const DEFAULT_STDIO: readonly Descriptor[] = ["ignore", "lines", "lines"];

/** By descriptor, for those that are "lines"; where none can be made, they are socket pairs. */
function pipesFor(stdio: readonly Descriptor[]): ReadonlyMap<number, Pipe> {
  const places = stdio.flatMap((kind, at) => (kind === "lines" ? [at] : []));
  const pipes = places.length > 0 ? makePipes(places.length) : [];
  return new Map(pipes.map((pipe, i) => [places[i] as number, pipe]));
}

/** Some failures are thrown (E2BIG, a byte 0 in an argument), others come as an event. */
function begin(
  options: SpawnOptions,
  stdio: readonly Descriptor[],
  pipes: ReadonlyMap<number, Pipe>,
): ChildProcess | Error {
  try {
    return spawn(options.command, [...(options.args ?? [])], {
      stdio: stdio.map((kind, at) => (kind === "lines" ? (pipes.get(at)?.writer ?? "pipe") : kind)),
      env: { ...options.env },
      detached: true,
      windowsHide: true,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
  } catch (error) {
    return error as Error;
  }
}

/** A child that could not be started. */
export function failedChild(command: string, cause: Error, cwd?: string): Child {
  const message = `${command} could not be started: ${startFailureText(command, cause.message, cwd)}`;
  const failure = new SallyportError("SPAWN_FAILED", message, { cause });
  const exited = Promise.resolve({ code: null, signal: null, failure });
  const nothing = (): void => {};
  const printed = Promise.resolve();
  return {
    pid: undefined,
    streams: [],
    exited,
    printed,
    signal: nothing,
    stop: () => exited,
    sweep: nothing,
  };
}

/** An error is the same as a close: `exited` reports the child's end. */
function ourEnd(child: ChildProcess, at: number): Socket | undefined {
  // There is no `stdio` at all when we ran out of descriptors (EMFILE).
  const end = child.stdio?.[at] as Socket | null | undefined;
  end?.on("error", () => end.destroy());
  return end ?? undefined;
}

function lineEnds(
  child: ChildProcess,
  stdio: readonly Descriptor[],
  pipes: ReadonlyMap<number, Pipe>,
): (Socket | undefined)[] {
  return stdio.map((kind, at) =>
    kind === "lines" ? (pipes.get(at)?.reader ?? ourEnd(child, at)) : undefined,
  );
}

function awaitExit(child: ChildProcess, { command, cwd }: SpawnOptions): Promise<Exit> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      if (child.pid !== undefined) releaseGroup(child.pid);
      resolve({ code, signal });
    });
    // Also emitted when a signal could not be sent; the child lives on.
    child.on("error", (cause) => {
      if (child.pid === undefined) resolve(failedChild(command, cause, cwd).exited);
    });
  });
}

const hasExited = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

function signalLiving(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid !== undefined && !hasExited(child)) signalGroup(child.pid, signal);
}

async function stopGroup(child: ChildProcess, exited: Promise<Exit>, grace: number): Promise<Exit> {
  const { pid } = child;
  if (pid === undefined || hasExited(child)) return exited;
  signalGroup(pid, "SIGTERM");
  const kill = setTimeout(signalGroup, timerDelay(grace), pid, "SIGKILL");
  const exit = await exited;
  clearTimeout(kill);
  sweepGroup(pid);
  return exit;
}
