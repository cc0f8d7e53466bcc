// Answers that a worker has finished and not sent yet lie in memory that we can read as well: a nameless file that the
// worker inherits. So several answers can leave in one write, and none is lost or late when the worker dies or is busy.
// The other end is python/sallyport/outbox.py; docs/link.md has the layout.
import { randomUUID } from "node:crypto";
import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Bytes of OutboxState at the beginning of the file, in numbers of 64 bits. The answers follow. */
const HEADER = 32;
/** Bytes of answers that may wait; INIT says so to the worker. After them come numbers of 64 bits: each thread's last request. */
const ROOM = 65_536;
const NUMBER = 8;

/** In memory, if there is such a place. */
const PLACES = ["/dev/shm", tmpdir()];

export interface OutboxState {
  /** Where the waiting bytes begin and end in the stream of all bytes that the worker sends. */
  readonly start: number;
  readonly end: number;
  /** The requests that the application was called for last, one of each thread; perhaps ended since. */
  readonly requests: readonly number[];
  /** Bytes that the worker has read from the link: requests beyond them never reached it. */
  readonly bytesRead: number;
}

export class Outbox {
  /** The worker inherits it. */
  readonly descriptor: number;
  readonly room: number = ROOM;
  readonly #threads: number;
  readonly #header = Buffer.alloc(HEADER);
  #closed = false;
  /** Where the waiting bytes ended at the last peek. */
  #seen = 0;

  private constructor(descriptor: number, threads: number) {
    this.descriptor = descriptor;
    this.#threads = threads;
  }

  /** Undefined if no file can be made: the worker then sends each answer at once. */
  static open(threads: number): Outbox | undefined {
    for (const directory of PLACES) {
      try {
        return new Outbox(openNameless(directory, HEADER + ROOM + NUMBER * threads), threads);
      } catch {}
    }
    return undefined;
  }

  /** Undefined once closed. */
  get state(): OutboxState | undefined {
    const header = this.#header;
    if (this.#closed || readSync(this.descriptor, header, 0, HEADER, 0) < HEADER) return undefined;
    const number = (at: number): number => numberAt(header, at);
    return { start: number(0), end: number(8), bytesRead: number(24), requests: [number(16)] };
  }

  /** The same once the worker is dead, with the requests of all threads. */
  get last(): OutboxState | undefined {
    const now = this.state;
    return now && { ...now, requests: [...now.requests, ...this.#ofThreads()].filter((id) => id > 0) };
  }

  /** The answers that a dead worker has finished, beyond the `received` bytes that arrived. */
  unsent(received: number): Buffer | undefined {
    const now = this.state;
    return now && this.#between(now, received, now.end);
  }

  /**
   * The same for a living worker, which may be writing: only bytes that were there at the last peek, too. To be called now
   * and then while the link is silent. The bytes arrive by the link later as well, and must be skipped there.
   */
  peek(received: number): Buffer | undefined {
    const before = this.state;
    const end = this.#seen;
    this.#seen = before?.end ?? 0;
    if (!before || end <= received || before.start > received || before.end < end) return undefined;
    const found = this.#between(before, received, end);
    const after = this.state;
    // Otherwise it has sent them meanwhile, and may have written over the bytes that we have just read.
    return after?.start === before.start ? found : undefined;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.descriptor);
  }

  #ofThreads(): number[] {
    const found = Buffer.alloc(NUMBER * this.#threads);
    readSync(this.descriptor, found, 0, found.length, HEADER + ROOM);
    return Array.from({ length: this.#threads }, (_, thread) => numberAt(found, NUMBER * thread));
  }

  #between({ start }: OutboxState, from: number, to: number): Buffer | undefined {
    if (from < start || to <= from || to - start > ROOM) return undefined;
    const found = Buffer.allocUnsafe(to - from);
    const size = readSync(this.descriptor, found, 0, found.length, HEADER + from - start);
    return size === found.length ? found : undefined;
  }
}

const numberAt = (bytes: Buffer, at: number): number => Number(bytes.readBigUInt64LE(at));

/** The file vanishes with its last descriptor, however we end. */
function openNameless(directory: string, size: number): number {
  const path = join(directory, `sallyport-${randomUUID()}`);
  const descriptor = openSync(path, "wx+", 0o600);
  try {
    unlinkSync(path);
    // Reserves the space now: a worker that writes to mapped memory on a full disk gets SIGBUS.
    if (writeSync(descriptor, Buffer.alloc(size)) < size) throw new Error("the disk is full");
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  return descriptor;
}
