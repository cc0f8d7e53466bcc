/** How many times longer than alone everything takes now, from 1 to 10. */
export function slowness(): number;

/** Calls `over` once, when nothing was heard for `limit` milliseconds of an idle machine. */
export class Silence {
  constructor(limit: number, over: () => void, slownessNow?: () => number, tick?: number);
  /** There was a sign of life. */
  heard(): void;
  end(): void;
  /** How long it has been. */
  readonly text: string;
}
