// How many connections each front has, where all of them can read it: a file without a name, four bytes for each, as
// Apache's scoreboard. Who accepts from a shared socket first is chance, and on a busy machine mostly whoever runs
// already; a front that is ahead of another rests for a moment, so that the other comes to accept.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InheritedDescriptor } from "./descriptors.ts";

/** Fronts that are counted; those beyond them serve all the same. */
const SEATS = 256;
const SIZE = 4;
/** How far a front may be ahead. */
const AHEAD = 2;
/** How long it rests then, in milliseconds: the loop stands still, for there is no other way not to accept. */
const REST = 1;
/** Rests at a stretch, and milliseconds until one more may be taken: a front that is alone with the work is not held up. */
const RESTS = 32;
const REGAIN = 10;

/** The supervisor's side: gives seats away, and frees those of fronts that ended. */
export class Scoreboard {
  readonly fd: number;
  readonly #taken = new Set<number>();

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), "sallyport-"));
    this.fd = openSync(join(folder, "board"), "wx+", 0o600);
    rmSync(folder, { recursive: true });
    // All of it, so that no front ever meets a full disk here.
    const empty = new Uint8Array(SEATS * SIZE);
    for (let done = 0; done < empty.length; ) done += writeSync(this.fd, empty, done);
  }

  take(): number {
    let seat = 0;
    while (this.#taken.has(seat)) seat++;
    this.#taken.add(seat);
    return seat;
  }

  free(seat: number): void {
    this.#taken.delete(seat);
    note(this.fd, seat, 0);
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** A front's side. */
export class Slot {
  readonly #scoreboard: InheritedDescriptor;
  readonly #slot: number;
  readonly #all = new Uint32Array(SEATS);
  #open = 0;
  #left = false;
  #emptied: (() => void) | undefined;
  #pausesLeft = RESTS;
  #regainedAt = performance.now();

  constructor(fd: number, seat: number) {
    this.#scoreboard = new InheritedDescriptor(fd);
    this.#slot = seat;
    this.#tell();
  }

  /** Whether the board is still where it was: the application may have closed it. */
  get intact(): boolean {
    return this.#scoreboard.intact;
  }

  /** Counts a connection from now to its end. */
  count(socket: Socket): void {
    this.#open++;
    this.#tell();
    socket.once("close", () => {
      this.#open--;
      this.#tell();
      if (this.#open === 0) this.#emptied?.();
    });
    if (this.#isAhead() && this.#mayPause()) rest();
  }

  /** It accepts no more: nobody is to wait for it. */
  leave(): void {
    this.#left = true;
    this.#note(0);
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

  #tell(): void {
    if (!this.#left) this.#note(this.#open + 1);
  }

  #note(value: number): void {
    if (this.intact) note(this.#scoreboard.fd, this.#slot, value);
  }

  #isAhead(): boolean {
    if (!this.intact) return false;
    readSync(this.#scoreboard.fd, this.#all, 0, SEATS * SIZE, 0);
    return this.#all.some((others) => others > 0 && others + AHEAD <= this.#open + 1);
  }

  #mayPause(): boolean {
    const now = performance.now();
    const regained = Math.floor((now - this.#regainedAt) / REGAIN);
    this.#pausesLeft = Math.min(RESTS, this.#pausesLeft + regained);
    this.#regainedAt += regained * REGAIN;
    if (this.#pausesLeft === 0) return false;
    this.#pausesLeft--;
    return true;
  }
}

/** 0 for nobody, otherwise one more than the connections. */
function note(fd: number, seat: number, value: number): void {
  if (seat < SEATS) writeSync(fd, Uint32Array.of(value), 0, SIZE, seat * SIZE);
}

const never = new Int32Array(new SharedArrayBuffer(4));
const rest = (): void => void Atomics.wait(never, 0, 0, REST);
