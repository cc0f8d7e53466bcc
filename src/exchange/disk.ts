// Bytes in temporary files, of all clients of this process together: each has its own limit, but the disk is one.

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

  /** False, and nothing is taken, where there is no room for so many. */
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

/** The one of this process. */
export const disk: Disk = new Disk(DISK_LIMIT);
