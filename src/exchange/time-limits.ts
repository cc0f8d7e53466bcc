// The limits of time that listeners have, in milliseconds: which of them may be 0, and that it means none.

/**
 * 0 means no limit for these, as for Node's own timeouts: an exchange is under way, and may stand still. The others wait for the end of
 * something that holds a connection for nothing; without a limit, some would never end.
 */
const MAY_BE_NONE: ReadonlySet<string> = new Set([
  "bodyTimeout",
  "receiveTimeout",
  "sendTimeout",
  "pingInterval",
]);

/** Whether the limit of this name is one of time. */
export const isTimeLimit = (name: string): boolean =>
  name.endsWith("Timeout") || name === "pingInterval" || name === "halfClosed";

/** Whether it may be 0: none. */
export const mayBeNone = (name: string): boolean => MAY_BE_NONE.has(name);

/**
 * The limits of a listener: those that are given (`undefined` gives none), otherwise the usual ones; with Infinity for 0 where that
 * means none: then a deadline is `now` and the limit in all cases.
 */
export function limitsOf<L extends object>(usual: L, given: Partial<L> = {}): L {
  const limits: [string, unknown][] = Object.entries(usual);
  for (const [name, limit] of Object.entries(given)) if (limit !== undefined) limits.push([name, limit]);
  return Object.fromEntries(
    limits.map(([name, limit]) => [name, limit === 0 && mayBeNone(name) ? Number.POSITIVE_INFINITY : limit]),
  ) as L;
}
