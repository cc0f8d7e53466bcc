// When a process is replaced by a new one, though nothing is wrong with it: after its share of requests, at an age, or above
// an amount of memory. And when it is ended: above more memory still.

import type { RecyclingLimits } from "../options/processes.ts";
import { canReadMemory, residentMemory } from "./memory.ts";

/** The limits of one process. Requests and age are up to a tenth less by chance, so that those of one age do not go at once. */
export class Lifespan {
  readonly maxRequests: number;
  readonly #maxAge: number;
  readonly #maxMemory: number;
  readonly #memoryLimit: number;

  /** 0: no limit. `random`: from 0 to 1. */
  constructor(limits: RecyclingLimits, random: () => number = Math.random) {
    this.maxRequests = Math.ceil(shortened(limits.maxRequests, random));
    this.#maxAge = shortened(limits.maxAge, random);
    this.#maxMemory = orInfinity(limits.maxMemory);
    this.#memoryLimit = orInfinity(limits.memoryLimit);
  }

  /** Why a process should be replaced, to follow its name in a sentence; undefined: it should not. */
  whyReplace(requests: number, age: number, memory: number): string | undefined {
    if (requests >= this.maxRequests) return SERVED;
    if (age >= this.#maxAge) return `has run for ${duration(age)}`;
    return memory > this.#maxMemory
      ? `holds ${mebibytes(memory)} of memory, more than ${mebibytes(this.#maxMemory)}`
      : undefined;
  }

  /** Why a process must be ended; undefined: it need not. */
  whyEnd(memory: number): string | undefined {
    return memory > this.#memoryLimit
      ? `it held ${mebibytes(memory)} of memory, and its limit is ${mebibytes(this.#memoryLimit)}`
      : undefined;
  }
}

export const SERVED = "has served its share of requests";

/** Bytes; 0 where no limit asks for them, or the process is gone. */
export const memoryOf = (pid: number | undefined, { maxMemory, memoryLimit }: RecyclingLimits): number =>
  pid !== undefined && canReadMemory && maxMemory + memoryLimit > 0 ? (residentMemory(pid) ?? 0) : 0;

/** Whether anything but the number of requests, which is counted anyway, must be looked at from time to time. */
export const needsWatch = ({ maxAge, maxMemory, memoryLimit }: RecyclingLimits): boolean =>
  maxAge + maxMemory + memoryLimit > 0;

const orInfinity = (limit: number): number => (limit === 0 ? Number.POSITIVE_INFINITY : limit);

const shortened = (limit: number, random: () => number): number => orInfinity(limit) * (1 - random() / 10);

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;

const duration = (milliseconds: number): string =>
  milliseconds < 120_000
    ? `${Math.round(milliseconds / 1000)} s`
    : `${Math.round(milliseconds / 60_000)} min`;
