// Where this process listens, or holds sockets for its server processes: what is taken may be taken by ourselves.
// Tested by test/server/listen.test.ts.
import { isIP } from "node:net";

export type OwnPlace = (
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string }
) & {
  /** For messages. */
  readonly url: string;
};

type Asked = { readonly kind: "fd" } | Omit<Extract<OwnPlace, { kind: "tcp" }>, "url"> | UnixPlace;
type UnixPlace = Omit<Extract<OwnPlace, { kind: "unix" }>, "url">;

const places = new Set<OwnPlace>();

/** It is ours until the function that this returns is called. */
export function holdPlace(place: OwnPlace): () => void {
  places.add(place);
  return () => places.delete(place);
}

/** The URL of a place of ours because of which `asked` may be taken: the same one, or all addresses where it is one of them. */
export const ownUrlAt = (asked: Asked): string | undefined =>
  [...places].find((own) => overlaps(own, asked))?.url;

function overlaps(own: OwnPlace, asked: Asked): boolean {
  if (own.kind === "unix") return asked.kind === "unix" && asked.path === own.path;
  if (asked.kind !== "tcp" || asked.port !== own.port) return false;
  return covers(own.host, asked.host) || covers(asked.host, own.host);
}

/** Whether `host` stands for `other`, too. A name may stand for any address, and "::" takes IPv4 as well. */
const covers = (host: string, other: string): boolean =>
  host === other || host === "::" || isIP(host) === 0 || (host === "0.0.0.0" && isIP(other) !== 6);
