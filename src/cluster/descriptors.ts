// The descriptors that a server process gets from its supervisor. Applications in the same process close small numbers
// that they take for their own or for leaked ones; the next connection then gets such a number, and with it data that is
// meant for us. So ours are high, and checked before each use.
// Tested by test/cluster/addresses.test.ts.
import { closeSync, fstatSync } from "node:fs";

/** From this number up, placeholders fill the small numbers while a server process starts, so that its own are high as well. */
export const LOW = 3;
const HIGH = 100;
/** Open files that a process must be allowed for that. */
const ENOUGH = 256;

/** The first of our descriptors, by how many files may be open. */
export const firstOwn = (limit: number | undefined): number =>
  limit !== undefined && limit < ENOUGH ? LOW : HIGH;

/** In the server process: closes the placeholders, so that the small numbers are free again. */
export function releaseLow(first: number): void {
  for (let fd = LOW; fd < first; fd++) closeSync(fd);
}

/** A file or socket that was handed down, recognised by its inode. */
export class InheritedDescriptor {
  readonly fd: number;
  readonly #was: string | undefined;

  constructor(fd: number) {
    this.fd = fd;
    this.#was = identity(fd);
  }

  /** Whether the number still stands for the same file. */
  get intact(): boolean {
    return this.#was !== undefined && identity(this.fd) === this.#was;
  }
}

function identity(fd: number): string | undefined {
  try {
    const { dev, ino } = fstatSync(fd);
    return `${dev} ${ino}`;
  } catch {
    return undefined;
  }
}
