// Options that say how many processes run an application, and when one is replaced.
import { SallyportError } from "../exchange/errors.ts";
import type { ProcessBounds } from "../exchange/status.ts";
import { aWhole, byteCount, type Check, type Checks, milliseconds, must } from "./checks.ts";

/** As many as the requests need. */
export interface ElasticProcesses extends ProcessBounds {
  /** Milliseconds for which a process must be to spare before one ends. Default 30 s. */
  readonly idleTimeout?: number | undefined;
}

/** A fixed number, or bounds. */
export type Processes = number | ElasticProcesses;

export interface RecyclingOptions {
  /** Requests after which a process is replaced, up to a tenth less by chance; 0 for no limit, the default. */
  readonly maxRequests?: number | undefined;
  /** Milliseconds after which a process is replaced, up to a tenth less by chance; 0 for no limit, the default. */
  readonly maxAge?: number | undefined;
  /** Bytes of memory above which a process is replaced: it goes on until another is ready. 0 for no limit, the default. Linux. */
  readonly maxMemory?: number | undefined;
  /** Bytes of memory above which a process is ended at once, with the requests inside. 0 for no limit, the default. Linux. */
  readonly memoryLimit?: number | undefined;
}

/** All of them; 0: no limit. */
export type RecyclingLimits = { readonly [K in keyof RecyclingOptions]-?: number };

const DEFAULT_IDLE_TIMEOUT = 30_000;
const MOST = 1_000_000;

const isWithin = (value: unknown, least: number): value is number =>
  Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= MOST;

const KEYS: ReadonlySet<string> = new Set(["min", "max", "idleTimeout"]);

function areBounds(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { min, max, idleTimeout } = value as Partial<ElasticProcesses>;
  const known = Object.keys(value).every((key) => KEYS.has(key));
  const patient = idleTimeout === undefined || milliseconds(idleTimeout, "").length === 0;
  return known && patient && isWithin(max, 1) && isWithin(min, 0) && min <= max;
}

export const processCount: Check = must(
  "a whole number from 1, or bounds such as { min: 1, max: 4 }",
  (value) => isWithin(value, 1) || areBounds(value),
);

export const RECYCLING_CHECKS: Checks<RecyclingOptions> = {
  maxRequests: aWhole,
  maxAge: milliseconds,
  maxMemory: byteCount,
  memoryLimit: byteCount,
};

/** The same bounds, however they were written. */
export const boundsOf = (processes: Processes): ProcessBounds =>
  typeof processes === "number"
    ? { min: processes, max: processes }
    : { min: processes.min, max: processes.max };

export const idleTimeoutOf = (processes: Processes): number =>
  (typeof processes === "number" ? undefined : processes.idleTimeout) ?? DEFAULT_IDLE_TIMEOUT;

/** Throws CONFIG_INVALID for bounds that come at run time. */
export function checkBounds({ min, max }: ProcessBounds): ProcessBounds {
  if (isWithin(max, 1) && isWithin(min, 0) && min <= max) return { min, max };
  throw new SallyportError(
    "CONFIG_INVALID",
    `processes must be from 0 to ${MOST}, at least 1 at the most, and the least no more than the most; not ${min} to ${max}`,
  );
}

/** Those of an application's options. */
export const recyclingLimits = ({
  maxRequests = 0,
  maxAge = 0,
  maxMemory = 0,
  memoryLimit = 0,
}: RecyclingOptions): RecyclingLimits => ({ maxRequests, maxAge, maxMemory, memoryLimit });

/** Throws CONFIG_INVALID for limits that contradict each other, or that this system cannot watch. */
export function checkRecycling({ maxMemory = 0, memoryLimit = 0 }: RecyclingOptions): void {
  if (maxMemory + memoryLimit === 0) return;
  if (process.platform !== "linux")
    throw new SallyportError(
      "CONFIG_INVALID",
      "maxMemory and memoryLimit need Linux, where the memory of a process can be read",
    );
  if (memoryLimit > 0 && memoryLimit <= maxMemory)
    throw new SallyportError(
      "CONFIG_INVALID",
      "memoryLimit, above which a process is ended, must be more than maxMemory, above which it is replaced",
    );
}
