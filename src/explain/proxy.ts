// What the headers of proxies say about the client, and whether they are believed.
// Tested by test/explain/explain.test.ts.
import type { Settings } from "../config/config.ts";
import { type Exchange, header } from "../exchange/index.ts";
import { FORWARDED } from "../proxies/forwarded.ts";
import { trustOf } from "../proxies/trust.ts";

/** A line for each header of a proxy in the request. Call it before the headers are applied. */
export function proxyNotes({ request }: Exchange, { trust, forwarded }: Settings): string[] {
  const { remote, headers } = request;
  const found = FORWARDED.filter((name) => header(headers, name) !== undefined);
  const trusted = trustOf(trust);
  if (found.length === 0) return [];
  if (!trusted) return found.map((name) => `${name} has no effect: no proxy is trusted (trust)`);
  if (!trusted(remote))
    return found.map((name) => `${name} is removed: it came from ${remote.address}, which is not trusted`);
  return found.map((name) =>
    forwarded.includes(name)
      ? `${name} is believed: it came from ${remote.address}, which is trusted`
      : `${name} is removed: it is not among the headers to believe (forwarded)`,
  );
}
