// The descriptors that a front gets from its supervisor. Applications in the same process close small numbers that they
// take for their own or for left over; the next connection has that number then, and would be sent what is not for it.
// So ours are high, and looked at before they are used.
import { closeSync, fstatSync } from "node:fs";

/** Small numbers are held free by as many of these while a front starts: what it opens for itself is high as well. */
export const LOW = 3;
const HIGH = 100;
/** Open files that a process must be allowed for that. */
const ENOUGH = 256;

/** The first of our descriptors, by how many files may be open. */
export const firstOwn = (limit: number | undefined): number =>
  limit !== undefined && limit < ENOUGH ? LOW : HIGH;

/** In the front: the small numbers are for everybody again. */
export function releaseLow(first: number): void {
  for (let fd = LOW; fd < first; fd++) closeSync(fd);
}

/** A file or socket that was handed down, known again by its inode. */
export class InheritedDescriptor {
  readonly fd: number;
  readonly #was: string | undefined;

  constructor(fd: number) {
    this.fd = fd;
    this.#was = identity(fd);
  }

  /** Whether the number still means what it meant. */
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
