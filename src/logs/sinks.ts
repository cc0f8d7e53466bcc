// Where lines of text leave the process: standard output, standard error, or a file that may be rotated under us.
import { constants, fstatSync, openSync } from "node:fs";
import sonic, { type SonicBoom as Boom } from "sonic-boom";
import { SallyportError } from "../exchange/index.ts";

const { SonicBoom } = sonic;

/** Bytes of lines that a slow reader makes wait, at the most; what comes beyond is dropped rather than kept in memory. */
const MOST_WAITING = 4 * 1024 * 1024;
/** A log reader that is stuck holds the end of the server up for this many milliseconds, not longer. */
const LONGEST_FLUSH = 1000;

/** Writes lines in order without ever blocking the event loop. */
export interface LineSink {
  /** One line, or several. */
  write(lines: string): boolean;
  /** Opens the file of this name anew: whoever rotates logs has moved the old one away. */
  reopen(): void;
  /** Everything written has left, then the file is closed. What is written later is dropped. */
  close(): Promise<void>;
  /** The process ends in this turn: what can be written at once is. Never throws. */
  leave(): void;
}

/** Hears, in a sentence, that lines cannot be written, and later how many were lost. */
export type Tell = (message: string) => void;

/** Lines to a descriptor that is already open (1, 2). */
export function descriptorSink(fd: number, tell?: Tell): LineSink {
  let patience = Number.POSITIVE_INFINITY;
  const retryEAGAIN = () => performance.now() < patience;
  const boom = new SonicBoom({ fd, sync: false, maxLength: MOST_WAITING, retryEAGAIN });
  const losses = new Losses(boom, tell);
  return {
    write: (lines) => losses.writes(lines),
    reopen: () => {},
    close: () => flushed(boom),
    leave: () => {
      patience = performance.now() + LONGEST_FLUSH;
      if (unblocked(boom, fd) || !losses.writing) flushNow(boom);
    },
  };
}

/** Lines appended to a file. Rejects with CONFIG_INVALID when it cannot be opened. */
export async function fileSink(path: string, tell?: Tell): Promise<LineSink> {
  const boom = new SonicBoom({ dest: path, sync: false, mkdir: true, maxLength: MOST_WAITING });
  await opened(boom, path);
  const losses = new Losses(boom, tell);
  let closed = false;
  return {
    write: (lines) => !closed && losses.writes(lines),
    reopen: () => closed || boom.reopen(),
    close: async () => {
      await flushed(boom);
      closed = true;
      boom.destroy();
    },
    leave: () => closed || flushNow(boom),
  };
}

/** A full disk, and a reader that is slow or gone, lose lines, not requests; and somebody hears of it. */
class Losses {
  /** Whether something is on its way. */
  writing = false;
  readonly #boom: Boom;
  readonly #tell: Tell;
  /** Lines lost since it was last well, and whether that was told. */
  #lost = 0;
  #told = false;

  constructor(boom: Boom, tell: Tell = () => {}) {
    this.#boom = boom;
    this.#tell = tell;
    boom.on("drop", (lines: string) => {
      this.#lost += lines.split("\n").length - 1;
      this.#fails("its reader is too slow");
    });
    boom.on("error", ({ message }: Error) => this.#fails(message));
    boom.on("drain", () => this.#allWritten());
  }

  writes(lines: string): boolean {
    this.writing = true;
    return this.#boom.write(lines);
  }

  #fails(why: string): void {
    if (this.#told) return;
    this.#told = true;
    this.#tell(`the access log cannot be written, and what does not fit into memory is lost: ${why}`);
  }

  #allWritten(): void {
    this.writing = false;
    if (!this.#told) return;
    this.#told = false;
    this.#tell(`the access log is written again; ${this.#lost} lines of it were lost`);
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

/** Resolves when all has been written, or when whoever reads the log takes too long. */
const flushed = (boom: Boom): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, LONGEST_FLUSH);
    boom.flush(() => {
      clearTimeout(timer);
      resolve();
    });
  });

/** Before the process ends: what waits, at once. */
function flushNow(boom: Boom): void {
  try {
    boom.flushSync();
  } catch {
    // Nobody takes it.
  }
}

/**
 * Makes sure that no reader of `fd` keeps us waiting. A pipe takes from now on what there is room for: it is opened once
 * more, because the flag on `fd` itself would be everybody's who has it. False where that cannot be (sockets, systems
 * other than Linux, a descriptor that is gone).
 */
function unblocked(boom: Boom, fd: number): boolean {
  try {
    const kind = fstatSync(fd);
    if (kind.isFIFO())
      Object.assign(boom, { fd: openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK) });
    return !kind.isSocket();
  } catch {
    return false;
  }
}
