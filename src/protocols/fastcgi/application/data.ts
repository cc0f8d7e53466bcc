// The second stream of a Filter (specification, 6.4): the file that the server in front wants filtered. It belongs to a
// request, which every wrapper of an exchange passes on.
import type { Exchange, RequestBody, RequestHead } from "../../../exchange/index.ts";

export interface FilterData {
  readonly body: RequestBody;
  /** When the file was last modified; undefined when the server did not say. */
  readonly lastModified: Date | undefined;
}

const kept = new WeakMap<RequestHead, FilterData>();

/** For the listener. `lastModified`: FCGI_DATA_LAST_MOD, seconds since 1970. */
export function keepData({ request }: Exchange, body: RequestBody, lastModified: string | undefined): void {
  const known = lastModified !== undefined && /^\d{1,12}$/.test(lastModified);
  kept.set(request, { body, lastModified: known ? new Date(Number(lastModified) * 1000) : undefined });
}

/** For a handler that plays the Filter: the file's bytes. undefined in any other role. */
export const filterData = (exchange: Exchange): FilterData | undefined => kept.get(exchange.request);
