// What a worker has finished and not sent yet lies in memory that we can read as well: a file without a name that it
// inherits. So its answers may leave several in one write, and none is lost when it dies, or is inside a request for long.
// The other end is python/sallyport/outbox.py; docs/link.md has the layout.
import { randomUUID } from "node:crypto";
import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * What comes before the bytes, in numbers of 64 bits: where in the stream of all that the worker has sent they begin, and
 * where they end; the request that the application was called for last; how many bytes the worker has read.
 */
const HEADER = 32;
/** Bytes that may wait. */
const ROOM = 32_768;

/** In memory, if that is there. */
const PLACES = ["/dev/shm", tmpdir()];

interface Header {
  readonly start: number;
  readonly end: number;
  readonly inside: number;
  readonly taken: number;
}

export class Outbox {
  /** For the worker. */
  readonly descriptor: number;
  readonly #header = Buffer.alloc(HEADER);
  #closed = false;
  /** Up to here the worker had written when we looked last. */
  #seen = 0;

  private constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  /** undefined where no file can be made: the worker then sends each answer at once. */
  static open(): Outbox | undefined {
    for (const directory of PLACES) {
      try {
        return new Outbox(openNameless(directory));
      } catch {}
    }
    return undefined;
  }

  /** The request that a worker which is dead was inside, or the last one, if it had finished that; 0 for none so far. */
  get inside(): number {
    return this.#read()?.inside ?? 0;
  }

  /** Bytes that the worker had read from the link; what we sent beyond it never met. */
  get taken(): number {
    return this.#read()?.taken ?? 0;
  }

  /** All that a worker which is dead has finished, beyond the `received` bytes that arrived. */
  rest(received: number): Buffer | undefined {
    const now = this.#read();
    return now && this.#between(now, received, now.end);
  }

  /**
   * The same of a worker that lives and may be writing: only what was there the last time, too. To be called now and then
   * while it is silent; what is given here arrives later by the link as well, and is to be passed over there.
   */
  peek(received: number): Buffer | undefined {
    const before = this.#read();
    const end = this.#seen;
    this.#seen = before?.end ?? 0;
    if (!before || end <= received || before.start > received || before.end < end) return undefined;
    const found = this.#between(before, received, end);
    const after = this.#read();
    // It has sent all, and may be writing over what we have just read.
    return after?.start === before.start ? found : undefined;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.descriptor);
  }

  #read(): Header | undefined {
    const header = this.#header;
    if (this.#closed || readSync(this.descriptor, header, 0, HEADER, 0) < HEADER) return undefined;
    const number = (at: number): number => Number(header.readBigUInt64LE(at));
    return { start: number(0), end: number(8), inside: number(16), taken: number(24) };
  }

  #between({ start }: Header, from: number, to: number): Buffer | undefined {
    if (from < start || to <= from || to - start > ROOM) return undefined;
    const found = Buffer.allocUnsafe(to - from);
    const size = readSync(this.descriptor, found, 0, found.length, HEADER + from - start);
    return size === found.length ? found : undefined;
  }
}

/** It goes with its last descriptor, however we end. */
function openNameless(directory: string): number {
  const path = join(directory, `sallyport-${randomUUID()}`);
  const descriptor = openSync(path, "wx+", 0o600);
  try {
    unlinkSync(path);
    // Its bytes are taken now: a worker that meets a full disk within its own memory dies of it.
    if (writeSync(descriptor, Buffer.alloc(HEADER + ROOM)) < HEADER + ROOM)
      throw new Error("the disk is full");
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  return descriptor;
}
