// What the pages ask by POST, checked.
import { SallyportError } from "../exchange/index.ts";
import { DOORS, type DoorName } from "./door.ts";

export const RACES = ["hello", "wait"] as const;
export type RaceKind = (typeof RACES)[number];
export const BEHIND = ["fastcgi", "scgi", "uwsgi", "http"] as const;
export type BehindProtocol = (typeof BEHIND)[number];

export interface RaceRequest {
  readonly kind: RaceKind;
  /** In this order. */
  readonly doors: readonly DoorName[];
}

export interface BehindRequest {
  readonly protocol: BehindProtocol;
}

/** Throws BAD_REQUEST. Without `doors` all of them. */
export function raceRequest(given: unknown): RaceRequest {
  const { kind, doors = DOORS } = Object(given) as Record<string, unknown>;
  const known: readonly unknown[] = DOORS;
  if (!Array.isArray(doors) || doors.length === 0 || !doors.every((door) => known.includes(door)))
    throw bad(`"doors" must be a list of some of ${DOORS.join(", ")}`);
  return { kind: oneOf("kind", RACES, kind), doors: [...new Set(doors as DoorName[])] };
}

/** Throws BAD_REQUEST. */
export const behindRequest = (given: unknown): BehindRequest => ({
  protocol: oneOf("protocol", BEHIND, (Object(given) as Record<string, unknown>).protocol),
});

function oneOf<T extends string>(name: string, known: readonly T[], given: unknown): T {
  const found = known.find((each) => each === given);
  if (found !== undefined) return found;
  throw bad(`"${name}" must be one of ${known.join(", ")}`);
}

const bad = (message: string): SallyportError => new SallyportError("BAD_REQUEST", message);
