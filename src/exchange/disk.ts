// Bytes in all temporary files of this process: each client has its own limit, but they share one disk.

export class Disk {
  /** Bytes that may be on it at once. */
  limit: number;
  #taken = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Bytes on it now. */
  get taken(): number {
    return this.#taken;
  }

  has(bytes: number): boolean {
    return this.#taken + bytes <= this.limit;
  }

  /** False, and nothing is taken, without room for all of them. */
  take(bytes: number): boolean {
    if (!this.has(bytes)) return false;
    this.#taken += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#taken -= bytes;
  }
}

/** 16 GiB. */
export const DISK_LIMIT = 17_179_869_184;

/** Shared by the whole process. */
export const disk: Disk = new Disk(DISK_LIMIT);
