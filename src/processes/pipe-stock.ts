// Pipes that the launcher has made ahead, as its parent sees them: descriptors of the launcher, whose other ends are opened
// through its /proc. Each is for one program: a process that was left behind must not read what is meant for the next one.
// Tested by test/processes/launched-pipes.test.ts.
import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";
import type { PipeEnds } from "./pipe-maker.ts";

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

interface Taker {
  readonly count: number;
  resolve(pipes: PipeEnds[] | undefined): void;
}

export class PipeStock {
  #pipes: PipeEnds[] = [];
  #state: "ready" | "empty" | "closed" = "ready";
  readonly #takers: Taker[] = [];

  /** `count` pipes, once there are so many and all who came earlier have theirs; undefined where none can be made. */
  take(count: number): Promise<PipeEnds[] | undefined> {
    return new Promise((resolve) => {
      this.#takers.push({ count, resolve });
      this.#serve();
    });
  }

  /** More were made; none of them: they cannot be made for now. */
  add(pipes: readonly PipeEnds[]): void {
    if (this.#state === "closed") return;
    this.#pipes.push(...pipes);
    this.#state = pipes.length > 0 ? "ready" : "empty";
    this.#serve();
  }

  /** None will be taken any more. */
  close(): void {
    this.#pipes = [];
    this.#state = "closed";
    this.#serve();
  }

  #serve(): void {
    for (let first = this.#takers[0]; first; first = this.#takers[0]) {
      const enough = this.#pipes.length >= first.count;
      if (!enough && this.#state === "ready") return;
      this.#takers.shift();
      first.resolve(enough ? this.#pipes.splice(0, first.count) : undefined);
    }
  }
}

/** Only standard input is read by its program. */
export const isInput = (descriptor: number): boolean => descriptor === 0;

/**
 * Our end, without blocking, of a pipe whose other end becomes `descriptor` of a program; `holder` is the process that has the
 * pipe. Throws where descriptors have run out, and where we may not look into that process.
 */
export function openOurEnd(holder: number, [reader]: PipeEnds, descriptor: number): number {
  const direction = isInput(descriptor) ? O_WRONLY : O_RDONLY;
  return openSync(`/proc/${holder}/fd/${reader}`, direction | O_NONBLOCK);
}

/** The descriptor is the stream's. */
export const streamOf = (fd: number, descriptor: number): Socket =>
  new Socket({ fd, readable: !isInput(descriptor), writable: isInput(descriptor) });

export function closeAll(fds: Iterable<number | undefined>): void {
  for (const fd of fds) if (fd !== undefined) closeSync(fd);
}

const SHORTAGES = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

/** Whether it was for want of descriptors or memory, which connections would want as well. */
export const isShortage = (error: unknown): boolean =>
  SHORTAGES.has((error as NodeJS.ErrnoException).code ?? "");
