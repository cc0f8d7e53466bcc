// Makes pipes, which Node cannot: it asks a shell, whose here-documents are pipes (dash, busybox, bash from 5.1 on), and opens
// both ends of what the shell has open. Not `mkfifo`: to open a named pipe by "/dev/stdin" waits for a writer, for ever if
// that one is done already; a pipe without a name gives its end at once.
// Tested by test/processes/launched-pipes.test.ts.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, fchmodSync, fstatSync, openSync, readdirSync, readSync } from "node:fs";

/** Both ends, as descriptors of this process. */
export type PipeEnds = readonly [reader: number, writer: number];

const { O_RDONLY, O_WRONLY } = constants;
/** The child may have another user; all others are kept out, because only a child's own /proc leads to its pipes. */
const MODE = 0o666;
/** Shells redirect descriptors of one digit. What an outer redirection made they set aside, under a higher number. */
const REDIRECTED = [3, 4, 5, 6, 7, 8, 9];
const DEPTH = 3;
/** How many are made at a time. */
const BATCH = REDIRECTED.length * DEPTH;
/** More are made when fewer are left. */
const FEW = 14;
/** In each pipe when it is made: of an empty here-document some shells make no pipe. */
const TEXT = "x\n";

/**
 * It says when it is there, when it has made a batch, which it does for a line, and for the next line it lets go of the batch. It ends
 * with its input: signals to all processes of ours are for others to act on.
 */
const SCRIPT = `trap '' INT TERM HUP USR1
echo; while read -r more; do
${nested(DEPTH)}
done`;

function nested(depth: number): string {
  if (depth === 0) return "echo; read -r taken";
  const redirections = REDIRECTED.map((descriptor) => `${descriptor}<<'E'`).join(" ");
  return `{ ${nested(depth - 1)}\n} ${redirections}\n${`${TEXT}E\n`.repeat(REDIRECTED.length)}`;
}

/** Milliseconds; a batch takes less than one. */
const LONGEST = 5_000;
/** Milliseconds until it is tried again after a failure. */
const RETRY = 10_000;

export class PipeMaker {
  readonly #onMade: (pipes: readonly PipeEnds[]) => void;
  readonly #path: string;
  #shell: Shell | undefined;
  #left = 0;
  #busy = false;
  #retryAt = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `onMade` gets each batch, which is its own to close; an empty one says that for now there are none. */
  constructor(onMade: (pipes: readonly PipeEnds[]) => void, shell = "/bin/sh") {
    this.#onMade = onMade;
    this.#path = shell;
  }

  /** So many are gone; perhaps more are made. */
  used(count: number): void {
    this.#left -= count;
    if (!this.#busy && this.#left < FEW && performance.now() >= this.#retryAt) this.#fill();
  }

  /** No more are made. */
  close(): void {
    this.#retryAt = Number.POSITIVE_INFINITY;
    clearTimeout(this.#timer);
    this.#shell?.kill();
  }

  #fill(): void {
    this.#busy = true;
    this.#timer = setTimeout(() => this.#fail(), LONGEST);
    try {
      if (this.#shell) this.#shell.goOn();
      else this.#shell = new Shell(this.#path, this.#take, () => this.#fail());
    } catch {
      this.#fail();
    }
  }

  readonly #take = (paths: readonly string[]): void => {
    const pipes: PipeEnds[] = [];
    try {
      if (paths.length !== BATCH) throw new Error("here-documents are files");
      for (const path of paths) pipes.push(opened(path));
    } catch {
      // Descriptors may have run out, too.
      for (const pipe of pipes) closePipe(pipe);
      return this.#fail();
    }
    this.#shell?.goOn();
    this.#done(pipes);
  };

  #fail(): void {
    this.#shell?.kill();
    this.#shell = undefined;
    // One that ended while it had nothing to do is replaced when there is something to do.
    if (!this.#busy) return;
    this.#retryAt = performance.now() + RETRY;
    this.#done([]);
  }

  #done(pipes: readonly PipeEnds[]): void {
    clearTimeout(this.#timer);
    this.#busy = false;
    this.#onMade(pipes);
    this.used(-pipes.length);
  }
}

class Shell {
  readonly #process: ChildProcess;
  readonly #onMade: (paths: readonly string[]) => void;
  /** What it has open before it makes anything: all that we were started with ourselves. */
  #inherited: ReadonlySet<string> | undefined;
  #killed = false;

  /** Makes a batch at once; `onMade` gets the paths. */
  constructor(path: string, onMade: (paths: readonly string[]) => void, onGone: () => void) {
    this.#onMade = onMade;
    // In a session of its own, so that signals of a terminal to our group do not reach it.
    this.#process = spawn(path, ["-c", SCRIPT], {
      stdio: ["pipe", "pipe", "ignore"],
      cwd: "/",
      env: {},
      detached: true,
    });
    const { stdin, stdout } = this.#process;
    const gone = (): void => {
      if (!this.#killed) onGone();
    };
    this.#process.on("error", gone).once("exit", gone);
    stdin?.on("error", gone);
    stdout?.on("data", () => this.#killed || this.#onSaid());
  }

  goOn(): void {
    this.#process.stdin?.write("\n");
  }

  /** Neither callback is called any more. */
  kill(): void {
    this.#killed = true;
    this.#process.kill("SIGKILL");
  }

  #onSaid(): void {
    const paths = this.#descriptors();
    if (this.#inherited) return this.#onMade(paths.filter((path) => !this.#inherited?.has(path)));
    this.#inherited = new Set(paths);
    this.goOn();
  }

  /** None where there is no /proc. */
  #descriptors(): string[] {
    const directory = `/proc/${this.#process.pid}/fd`;
    try {
      return readdirSync(directory).flatMap((fd) => (Number(fd) > 2 ? `${directory}/${fd}` : []));
    } catch {
      return [];
    }
  }
}

export function closePipe(pipe: PipeEnds): void {
  for (const fd of pipe) closeSync(fd);
}

const text = Buffer.alloc(TEXT.length + 1);

/** Both ends block, as programs expect. Throws where it is no pipe that holds the text. */
function opened(path: string): PipeEnds {
  const reader = openSync(path, O_RDONLY);
  try {
    if (!fstatSync(reader).isFIFO() || readSync(reader, text) !== TEXT.length) throw new Error("not a pipe");
    fchmodSync(reader, MODE);
    return [reader, openSync(path, O_WRONLY)];
  } catch (error) {
    closeSync(reader);
    throw error;
  }
}
