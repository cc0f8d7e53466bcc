// How many connections each server process has, where all of them can read it: a file without a name, four bytes for
// each, like Apache's scoreboard. Chance decides which process accepts from a shared socket first, and on a busy machine
// mostly the one that runs already; one that is ahead of another therefore pauses for a moment, so that the other accepts.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SallyportError } from "../exchange/index.ts";
import { InheritedDescriptor } from "./descriptors.ts";

/** Server processes that are counted; any beyond them serve uncounted. */
const SLOTS = 256;
const SIZE = 4;
/** How many connections a server process may be ahead. */
const AHEAD = 2;
/** Its pause then, in milliseconds. It blocks the event loop: Node cannot pause accept() on a shared socket. */
const PAUSE = 1;
/** Pauses in a row, and milliseconds until another is allowed: a process that does all the work must not be slowed down. */
const PAUSES = 32;
const REGAIN = 10;

/**
 * A descriptor of a file without a name, full of zeros, so that no server process meets a full disk here. Throws CONFIG_INVALID where
 * the system's temporary directory cannot be written.
 */
function nameless(): number {
  try {
    const folder = mkdtempSync(join(tmpdir(), "sallyport-"));
    const fd = openSync(join(folder, "scoreboard"), "wx+", 0o600);
    rmSync(folder, { recursive: true });
    const empty = new Uint8Array(SLOTS * SIZE);
    for (let done = 0; done < empty.length; ) done += writeSync(fd, empty, done);
    return fd;
  } catch (error) {
    const message = `several server processes, and embedded applications, need a temporary directory that can be written: ${(error as Error).message}; set TMPDIR`;
    throw new SallyportError("CONFIG_INVALID", message, { cause: error });
  }
}

/** The supervisor's side: gives slots to server processes, and frees those of processes that ended. */
export class Scoreboard {
  readonly fd: number;
  readonly #taken = new Set<number>();

  constructor() {
    this.fd = nameless();
  }

  take(): number {
    let slot = 0;
    while (this.#taken.has(slot)) slot++;
    this.#taken.add(slot);
    return slot;
  }

  /** Gives how many connections it had. */
  free(slot: number): number {
    const value = read(this.fd, slot);
    this.#taken.delete(slot);
    write(this.fd, slot, 0);
    return Math.max(0, value - 1);
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** A server process's side. */
export class Slot {
  readonly #scoreboard: InheritedDescriptor;
  readonly #slot: number;
  readonly #all = new Uint32Array(SLOTS);
  #open = 0;
  #left = false;
  #emptied: (() => void) | undefined;
  #pausesLeft = PAUSES;
  #regainedAt = performance.now();

  constructor(fd: number, slot: number) {
    this.#scoreboard = new InheritedDescriptor(fd);
    this.#slot = slot;
    this.#update();
  }

  /** Whether the scoreboard is still open: the application may have closed it. */
  get intact(): boolean {
    return this.#scoreboard.intact;
  }

  /** Counts a connection from now to its end. */
  count(socket: Socket): void {
    this.#open++;
    this.#update();
    socket.once("close", () => {
      this.#open--;
      this.#update();
      if (this.#open === 0) this.#emptied?.();
    });
    if (this.#isAhead() && this.#mayPause()) pause();
  }

  /** It accepts no more: the others must not wait for it. */
  leave(): void {
    this.#left = true;
    this.#write(0);
  }

  /** Resolves when the last connection has ended, or after `patience` milliseconds. */
  empty(patience: number): Promise<void> {
    if (this.#open === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, patience);
      this.#emptied = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #update(): void {
    if (!this.#left) this.#write(this.#open + 1);
  }

  #write(value: number): void {
    if (this.intact) write(this.#scoreboard.fd, this.#slot, value);
  }

  #isAhead(): boolean {
    if (!this.intact) return false;
    readSync(this.#scoreboard.fd, this.#all, 0, SLOTS * SIZE, 0);
    return this.#all.some((others) => others > 0 && others + AHEAD <= this.#open + 1);
  }

  #mayPause(): boolean {
    const now = performance.now();
    const regained = Math.floor((now - this.#regainedAt) / REGAIN);
    this.#pausesLeft = Math.min(PAUSES, this.#pausesLeft + regained);
    this.#regainedAt += regained * REGAIN;
    if (this.#pausesLeft === 0) return false;
    this.#pausesLeft--;
    return true;
  }
}

/** 0 for a free slot, otherwise one more than the connections. */
function write(fd: number, slot: number, value: number): void {
  if (slot < SLOTS) writeSync(fd, Uint32Array.of(value), 0, SIZE, slot * SIZE);
}

function read(fd: number, slot: number): number {
  const value = new Uint32Array(1);
  if (slot < SLOTS) readSync(fd, value, 0, SIZE, slot * SIZE);
  return value[0] as number;
}

const never = new Int32Array(new SharedArrayBuffer(4));
const pause = (): void => void Atomics.wait(never, 0, 0, PAUSE);
