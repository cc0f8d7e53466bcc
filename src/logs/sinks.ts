// Where lines of text leave the process: standard output, standard error, or a file that may be rotated.
import { constants, fstatSync, openSync } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import sonic, { type SonicBoom as Boom } from "sonic-boom";
import { SallyportError } from "../exchange/index.ts";

const { SonicBoom } = sonic;

/** Bytes of lines that may wait for a slow reader; more are dropped rather than kept in memory. */
const MOST_WAITING = 4 * 1024 * 1024;
/** Milliseconds for which a log reader that is stuck may delay the end of the server. */
const LONGEST_FLUSH = 1000;

/** Writes lines in order without ever blocking the event loop. */
export interface LineSink {
  /** One line, or several. */
  write(lines: string): boolean;
  /** Opens the file of this name anew, after log rotation has moved the old one away. */
  reopen(): void;
  /** Closes the file once everything is written. Later lines are dropped. */
  close(): Promise<void>;
  /** Writes what it can at once: the process ends in this turn. Never throws. */
  leave(): void;
}

/** Gets a sentence when lines cannot be written, and another later with the number of lost lines. */
export type ReportLoss = (message: string) => void;

/** Lines to a descriptor that is already open (1, 2). */
export function descriptorSink(fd: number, report?: ReportLoss): LineSink {
  let patience = Number.POSITIVE_INFINITY;
  const retryEAGAIN = () => performance.now() < patience;
  const own = ownPipe(fd);
  const boom = new SonicBoom({ fd: own, sync: false, maxLength: MOST_WAITING, retryEAGAIN });
  const leave = (): void => {
    patience = performance.now() + LONGEST_FLUSH;
    if (own !== fd || !mayBlock(fd) || !writer.isWriting) flushNow(boom);
  };
  const writer = new LineWriter(boom, leave, report);
  return { write: (lines) => writer.write(lines), reopen: () => {}, close: () => flushed(boom), leave };
}

/** What the pipes of standard output and standard error were opened as, once for all. */
const ownPipes = new Map<number, number>();

/**
 * The pipe at `fd` as a descriptor of our own, whose writes never block; anything else as it is, and so is a pipe where this is impossible
 * (another user's, systems other than Linux). The flag on `fd` itself would apply to every process that has it, and any of them makes
 * it blocking again when it ends. And no process can end while a thread of it waits for the reader of a pipe.
 */
function ownPipe(fd: number): number {
  const own = ownPipes.get(fd) ?? openedAnew(fd);
  if (fd <= 2) ownPipes.set(fd, own);
  return own;
}

function openedAnew(fd: number): number {
  try {
    if (!fstatSync(fd).isFIFO()) return fd;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return fd;
  }
}

/** Lines appended to a file. Rejects with CONFIG_INVALID when it cannot be opened. */
export async function fileSink(path: string, report?: ReportLoss): Promise<LineSink> {
  const boom = new SonicBoom({ dest: path, sync: false, mkdir: true, maxLength: MOST_WAITING });
  await opened(boom, path);
  let closed = false;
  const leave = (): void => {
    if (!closed) flushNow(boom);
  };
  const writer = new LineWriter(boom, leave, report);
  return {
    write: (lines) => !closed && writer.write(lines),
    reopen: () => {
      // sonic-boom would go on waiting for one that cannot be opened, and later close the old descriptor a second time.
      canBeOpened(path).then(
        () => closed || boom.reopen(),
        ({ message }) => report?.(`the access log goes on into the file that it has: ${message}`),
      );
    },
    close: async () => {
      await flushed(boom);
      closed = true;
      boom.destroy();
    },
    leave,
  };
}

/** Those that have lines which are not written yet. */
const writing = new Set<LineWriter>();
let watchesExit = false;

/** An application may call `process.exit`, and the last lines say why. Called once: lines come far more often. */
function watchExit(): void {
  watchesExit = true;
  process.on("exit", () => {
    for (const writer of writing) writer.leave();
  });
}

/** Writes lines. A full disk, or a reader that is slow or gone, costs lines, not requests; the loss is reported. */
class LineWriter {
  /** Whether lines are being written. */
  isWriting = false;
  /** Writes what it can at once. */
  readonly leave: () => void;
  readonly #boom: Boom;
  readonly #report: ReportLoss;
  /** Lines lost since writing last worked, and whether that was reported. */
  #lost = 0;
  #reported = false;

  constructor(boom: Boom, leave: () => void, report: ReportLoss = () => {}) {
    this.#boom = boom;
    this.#report = report;
    this.leave = leave;
    boom.on("drop", (lines: string) => {
      this.#lost += lines.split("\n").length - 1;
      this.#reportLoss("its reader is too slow");
    });
    boom.on("error", ({ message }: Error) => this.#reportLoss(message));
    boom.on("drain", () => this.#allWritten());
  }

  write(lines: string): boolean {
    if (!this.isWriting) this.#begin();
    return this.#boom.write(lines);
  }

  #begin(): void {
    this.isWriting = true;
    if (!watchesExit) watchExit();
    writing.add(this);
  }

  #reportLoss(why: string): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#report(`the access log cannot be written, and what does not fit into memory is lost: ${why}`);
  }

  #allWritten(): void {
    this.isWriting = false;
    writing.delete(this);
    if (!this.#reported) return;
    this.#reported = false;
    this.#report(`the access log is written again; ${this.#lost} lines of it were lost`);
    this.#lost = 0;
  }
}

const opened = (boom: Boom, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    boom.once("ready", resolve);
    boom.once("error", ({ message }: Error) =>
      reject(new SallyportError("CONFIG_INVALID", `the access log ${path} cannot be written: ${message}`)),
    );
  });

/** Rejects where the file cannot be opened or made. Waits for no reader of a pipe. */
async function canBeOpened(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
  await (await open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o666)).close();
}

/** Resolves when all is written, or when the reader of the log takes too long. */
const flushed = (boom: Boom): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, LONGEST_FLUSH);
    boom.flush(() => {
      clearTimeout(timer);
      resolve();
    });
  });

/** Writes what waits at once, before the process ends. */
function flushNow(boom: Boom): void {
  try {
    boom.flushSync();
  } catch {
    // The reader is gone.
  }
}

/** Whether a reader can keep a write waiting: that of a socket, or of a pipe that could not be opened anew. */
function mayBlock(fd: number): boolean {
  try {
    const kind = fstatSync(fd);
    return kind.isSocket() || kind.isFIFO();
  } catch {
    return true;
  }
}
