// Pipes for what a child prints. Node's "pipe" is a pair of sockets, and a socket cannot be opened by its name: in the child
// `open("/dev/stdout")` would fail with ENXIO. Node makes no pipe either, so `mkfifo` does (POSIX; coreutils and busybox have it).
// For an output only: to open an input by name would wait for a writer. The launcher's children have other ones (pipe-maker.ts).
import { spawnSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Pipe {
  readonly reader: Socket;
  /** A descriptor for the child; ours must be closed once the child has its own, or the reader never ends. */
  readonly writer: number;
}

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
/** The child may have another user; all others are kept out, because only the child's own /proc leads to it. */
const MODE = "666";
/** Milliseconds; it takes a few. */
const LONGEST = 5_000;

/** So many pipes, in memory only: their names are gone. None where they cannot be made. */
export function makePipes(count: number): Pipe[] {
  const pipes: Pipe[] = [];
  let directory: string | undefined;
  try {
    directory = mkdtempSync(join(tmpdir(), "sallyport-"));
    for (const path of namedPipes(directory, count)) pipes.push(opened(path));
    return pipes;
  } catch {
    // No mkfifo, no directory for it, or no descriptors left.
    for (const pipe of pipes) discardPipe(pipe);
    return [];
  } finally {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  }
}

export function discardPipe({ reader, writer }: Pipe): void {
  reader.destroy();
  closeSync(writer);
}

function namedPipes(directory: string, count: number): string[] {
  const paths = Array.from({ length: count }, (_, i) => join(directory, String(i)));
  const { status, error } = spawnSync("mkfifo", ["-m", MODE, ...paths], {
    stdio: "ignore",
    timeout: LONGEST,
  });
  if (status !== 0) throw error ?? new Error("mkfifo failed");
  return paths;
}

/** Not to wait for a writer, the reader is opened first and without blocking; the writer, which the child gets, does block. */
function opened(path: string): Pipe {
  const fd = openSync(path, O_RDONLY | O_NONBLOCK);
  try {
    const writer = openSync(path, O_WRONLY);
    const reader = new Socket({ fd, readable: true, writable: false });
    // The same as its end.
    return { writer, reader: reader.on("error", () => reader.destroy()) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
