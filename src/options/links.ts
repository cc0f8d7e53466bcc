// The option `links`: where symbolic links may lead besides the directory that is served. Unless it is given they must not
// leave that directory: whoever may write there could otherwise publish any file that the server can read.
// Tested by test/apps/static.test.ts.
import { realpath } from "node:fs/promises";

/**
 * The directory that holds `real`, a path without links: `root`, which has none either, or one of `links`. Undefined when
 * there is none. Links of `links` themselves are resolved anew for each request, as a deployment may point them elsewhere.
 */
export async function placeOf(
  real: string,
  root: string,
  links: readonly string[],
): Promise<string | undefined> {
  if (isBelow(root, real)) return root;
  for (const link of links) {
    const place = await realpath(link).catch(() => undefined);
    if (place !== undefined && isBelow(place, real)) return place;
  }
  return undefined;
}

/** Whether `path` is `place` or lies below it. */
const isBelow = (place: string, path: string): boolean =>
  path === place || path.startsWith(place.endsWith("/") ? place : `${place}/`);
