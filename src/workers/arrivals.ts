// What comes from one worker: by the link, or, when the link is silent, out of its outbox. Every byte is read once,
// whichever way it came.
import type { Socket } from "node:net";
import { Reading } from "../sockets/accepted.ts";
import { type FrameHandler, FrameReader } from "./link.ts";
import type { Outbox } from "./outbox.ts";

/** Milliseconds between two looks into the outbox of a worker that says nothing. */
const PEEK_INTERVAL = 5;

/** What a dead worker left behind. */
export interface Last {
  /** The request that its application was called for last; 0 for none. */
  readonly inside: number;
  /** How many bytes of what it was sent it had read. */
  readonly taken: number;
}

export class Arrivals {
  readonly #reader: FrameReader;
  readonly #outbox: Outbox | undefined;
  readonly #broken: (error: unknown) => void;
  /** Bytes that have arrived by the link, and up to where they were read: perhaps before they arrived. */
  #received = 0;
  #read = 0;
  #isBroken = false;
  #watching: NodeJS.Timeout | undefined;
  /** How much had arrived at the last look. */
  #receivedThen = 0;

  /** `broken` is told of the first error of the reader or of `onFrame`; nothing is read after it. */
  constructor(
    link: Socket,
    outbox: Outbox | undefined,
    onFrame: FrameHandler,
    broken: (error: unknown) => void,
  ) {
    this.#outbox = outbox;
    this.#reader = new FrameReader(onFrame);
    this.#broken = broken;
    new Reading(link, (chunk) => this.#arrived(chunk), true);
  }

  /** What the worker finished must not wait for a request that takes long: looks for it, now and then, while `isBusy`. */
  watch(isBusy: () => boolean): void {
    if (this.#watching || !this.#outbox) return;
    this.#watching = setTimeout(() => {
      this.#watching = undefined;
      this.#look();
      if (isBusy()) this.watch(isBusy);
    }, PEEK_INTERVAL).unref();
  }

  /** The worker is dead, and the link was read to its end: takes what it had finished and not sent. */
  finish(): Last | undefined {
    clearTimeout(this.#watching);
    const outbox = this.#outbox;
    if (!outbox) return undefined;
    const rest = outbox.rest(this.#read);
    if (rest) this.#push(rest);
    const last = { inside: outbox.inside, taken: outbox.taken };
    outbox.close();
    return last;
  }

  #arrived(chunk: Buffer): void {
    this.#received += chunk.length;
    const news = this.#received - this.#read;
    if (news >= chunk.length) this.#push(chunk);
    else if (news > 0) this.#push(chunk.subarray(chunk.length - news));
  }

  #look(): void {
    const isSilent = this.#received === this.#receivedThen;
    this.#receivedThen = this.#received;
    const found = isSilent ? this.#outbox?.peek(this.#read) : undefined;
    if (found) this.#push(found);
  }

  #push(bytes: Buffer): void {
    if (this.#isBroken) return;
    this.#read += bytes.length;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      this.#isBroken = true;
      this.#broken(error);
    }
  }
}
