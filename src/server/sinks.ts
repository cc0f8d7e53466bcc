// Where lines of text leave the process: standard output, standard error, or a file that may be rotated under us.
import sonic, { type SonicBoom as Boom } from "sonic-boom";
import { SallyportError } from "../exchange/index.ts";

const { SonicBoom } = sonic;

/** Octets of lines that a slow reader makes wait, at the most; what comes beyond is dropped rather than kept in memory. */
const MOST_WAITING = 4 * 1024 * 1024;
/** A log reader that is stuck holds the end of the server up for this many milliseconds, not longer. */
const LONGEST_FLUSH = 1000;

/** Writes lines in order without ever blocking the event loop. */
export interface LineSink {
  write(line: string): boolean;
  /** Opens the file of this name anew: whoever rotates logs has moved the old one away. */
  reopen(): void;
  /** Everything written has left, then the file is closed. */
  close(): Promise<void>;
}

/** Lines to a descriptor that is already open (1, 2). */
export function descriptorSink(fd: number): LineSink {
  const boom = new SonicBoom({ fd, sync: false, maxLength: MOST_WAITING });
  boom.on("error", () => {}); // a reader that left (EPIPE) must not end the server
  return { write: (line) => boom.write(line), reopen: () => {}, close: () => flushed(boom) };
}

/** Lines appended to a file. Rejects with CONFIG_INVALID when it cannot be opened. */
export async function fileSink(path: string): Promise<LineSink> {
  const boom = new SonicBoom({ dest: path, sync: false, mkdir: true, maxLength: MOST_WAITING });
  await opened(boom, path);
  boom.on("error", () => {}); // a full disk loses lines, not requests
  const close = async () => {
    await flushed(boom);
    boom.destroy();
  };
  return { write: (line) => boom.write(line), reopen: () => boom.reopen(), close };
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
