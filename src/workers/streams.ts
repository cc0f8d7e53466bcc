// The streams of one worker by their ids. A ring and not a Map: V8 gives a Map new tables as entries come and go, each old
// table keeps the next one alive, and once one is in old space, every stream in them outlives all young collections.
import type { WorkerStream } from "./stream.ts";

const FIRST_SIZE = 64;
/** Ids are numbers of 32 bits; 0 is the worker itself. */
const LAST_ID = 0xffff_ffff;

export class Streams {
  #ring: (WorkerStream | undefined)[] = new Array(FIRST_SIZE).fill(undefined);
  #mask = FIRST_SIZE - 1;
  #lastId = 0;
  size = 0;

  /** An id for the next stream. */
  nextId(): number {
    if (this.size * 2 > this.#mask) this.#grow();
    do this.#lastId = this.#lastId === LAST_ID ? 1 : this.#lastId + 1;
    while (this.#ring[this.#lastId & this.#mask] !== undefined);
    return this.#lastId;
  }

  /** `id` is what `nextId` gave last. */
  add(id: number, stream: WorkerStream): void {
    this.#ring[id & this.#mask] = stream;
    this.size++;
  }

  get(id: number): WorkerStream | undefined {
    const stream = this.#ring[id & this.#mask];
    return stream?.id === id ? stream : undefined;
  }

  delete(id: number): void {
    const index = id & this.#mask;
    if (this.#ring[index]?.id !== id) return;
    this.#ring[index] = undefined;
    this.size--;
  }

  /** The one that was added next after `id`, of those that are still there. */
  after(id: number): WorkerStream | undefined {
    const size = this.#ring.length;
    for (let next = id + 1; next < id + size; next++) {
      const stream = this.#ring[next & this.#mask];
      if (stream) return stream;
    }
    return undefined;
  }

  /** Notes for those that are new that they are there `now` (whole milliseconds). */
  mark(now: number): void {
    if (this.size === 0) return;
    for (const stream of this.#ring) if (stream?.takenAt === 0) stream.takenAt = now;
  }

  /** In the order in which they were added. */
  all(): WorkerStream[] {
    const found: WorkerStream[] = [];
    for (const stream of this.#ring) if (stream) found.push(stream);
    return found.sort((a, b) => this.#age(b.id) - this.#age(a.id));
  }

  /** Those that were added no later than one of `ids`, the oldest first. */
  until(ids: readonly number[]): WorkerStream[] {
    const newest = Math.min(...ids.map((id) => this.#age(id)));
    return this.all().filter(({ id }) => this.#age(id) >= newest);
  }

  clear(): void {
    this.#ring.fill(undefined);
    this.size = 0;
  }

  #age(id: number): number {
    return (this.#lastId - id) >>> 0;
  }

  #grow(): void {
    const streams = this.all();
    const ring = new Array(this.#ring.length * 2).fill(undefined);
    this.#mask = ring.length - 1;
    for (const stream of streams) ring[stream.id & this.#mask] = stream;
    this.#ring = ring;
  }
}
