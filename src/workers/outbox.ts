// What a worker has finished and not sent yet lies in memory that we can read as well: a file without a name that it
// inherits. So its answers may leave several in one write, and none is lost when it dies, or is inside a request for long.
// The other end is python/sallyport/outbox.py; docs/link.md has the layout.
import { randomUUID } from "node:crypto";
import { closeSync, existsSync, ftruncateSync, openSync, readSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Two positions in the stream of all bytes that the worker has sent, 64 bits each: what waits begins here, and ends here. */
const POSITIONS = 16;
/** Bytes that may wait. */
const ROOM = 32_768;

interface Positions {
  readonly start: number;
  readonly end: number;
}

export class Outbox {
  /** For the worker. */
  readonly descriptor: number;
  readonly #header = Buffer.alloc(POSITIONS);
  #closed = false;
  /** Up to here the worker had written when we looked last. */
  #seen = 0;

  private constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  /** undefined where no file can be made: the worker then sends each answer at once. */
  static open(): Outbox | undefined {
    try {
      return new Outbox(openNameless(existsSync("/dev/shm") ? "/dev/shm" : tmpdir()));
    } catch {
      return undefined;
    }
  }

  /** All that a worker which is dead has finished, beyond the `received` bytes that arrived. */
  rest(received: number): Buffer | undefined {
    const now = this.#positions();
    return now && this.#between(now, received, now.end);
  }

  /**
   * The same of a worker that lives and may be writing: only what was there the last time, too. To be called now and then
   * while it is silent; what is given here arrives later by the link as well, and is to be passed over there.
   */
  glimpse(received: number): Buffer | undefined {
    const before = this.#positions();
    const end = this.#seen;
    this.#seen = before?.end ?? 0;
    if (!before || end <= received || before.start > received || before.end < end) return undefined;
    const found = this.#between(before, received, end);
    const after = this.#positions();
    // It has sent all, and may be writing over what we have just read.
    return after?.start === before.start ? found : undefined;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.descriptor);
  }

  #positions(): Positions | undefined {
    const header = this.#header;
    if (this.#closed || readSync(this.descriptor, header, 0, POSITIONS, 0) < POSITIONS) return undefined;
    return { start: Number(header.readBigUInt64LE(0)), end: Number(header.readBigUInt64LE(8)) };
  }

  #between({ start }: Positions, from: number, to: number): Buffer | undefined {
    if (from < start || to <= from || to - start > ROOM) return undefined;
    const found = Buffer.allocUnsafe(to - from);
    const size = readSync(this.descriptor, found, 0, found.length, POSITIONS + from - start);
    return size === found.length ? found : undefined;
  }
}

/** It goes with its last descriptor, however we end. */
function openNameless(directory: string): number {
  const path = join(directory, `sallyport-${randomUUID()}`);
  const descriptor = openSync(path, "wx+", 0o600);
  try {
    unlinkSync(path);
    ftruncateSync(descriptor, POSITIONS + ROOM);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  return descriptor;
}
