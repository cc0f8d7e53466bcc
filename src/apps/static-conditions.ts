// The conditions and ranges that the library `send` does not judge as RFC 9110, 13 and 14, want it. Its entity tags, made of size
// and time, are weak: no strong comparison ever holds.
// Tested by test/apps/static.test.ts.
import type { Stats } from "node:fs";
import type { IncomingMessage } from "node:http";

/** Whether If-Match, which wants a strong validator (13.1.1), must fail: `send` compares weakly. */
export function failsIfMatch({ headers }: IncomingMessage): boolean {
  const tags = headers["if-match"];
  return tags !== undefined && tags !== "" && tags !== "*";
}

/** The Range to heed; undefined where it means nothing. `send` would heed it for HEAD, too (14.2). */
export function rangeOf({ method, headers }: IncomingMessage, { size, mtime }: Stats): string | undefined {
  // Content-Range has no form for a range of nothing.
  if (method !== "GET" || size === 0 || !holds(headers["if-range"] as string | undefined, mtime))
    return undefined;
  // A suffix that is longer than the file is all of it (14.1.2); `send` finds none.
  return headers.range?.replace(SUFFIX, (_, before, length) => `${before}-${Math.min(Number(length), size)}`);
}

/** Of a range such as "bytes=-500": what stands before it, and its length. */
const SUFFIX = /([=,])[ \t]*-(\d+)/g;

/** Whether If-Range holds (13.1.5). A file may have changed again within the second that its date names (8.8.2.2). */
function holds(condition: string | undefined, mtime: Date): boolean {
  if (condition === undefined || condition === "") return true;
  const date = mtime.toUTCString();
  return condition === date && Date.now() - Date.parse(date) >= 1_000;
}
