// Octets in temporary files, of all clients of this process together: each has its own limit, but the disk is one.

export class Disk {
  /** Octets that may be on it at once. */
  limit: number;
  #taken = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Octets on it now. */
  get taken(): number {
    return this.#taken;
  }

  has(octets: number): boolean {
    return this.#taken + octets <= this.limit;
  }

  /** False, and nothing is taken, where there is no room for so many. */
  take(octets: number): boolean {
    if (!this.has(octets)) return false;
    this.#taken += octets;
    return true;
  }

  give(octets: number): void {
    this.#taken -= octets;
  }
}

/** 16 GiB. */
export const DISK_LIMIT = 17_179_869_184;

/** The one of this process. */
export const disk: Disk = new Disk(DISK_LIMIT);
