// From what each proxy in front says to what is true of the client: from the one that connected to us back over those
// that are trusted, to the first that is not. What stands to the left of that, anybody may have written.
import { type Address, SallyportError } from "../exchange/index.ts";
import { canonicalIp } from "../sockets/address.ts";
import { readForwarded } from "./header.ts";
import type { Trusted } from "./trust.ts";

/** What trusted proxies say of the client. Absent is what they do not say. */
export interface ForwardedFacts {
  readonly client: Address | undefined;
  readonly proto: string | undefined;
  readonly host: string | undefined;
  readonly port: string | undefined;
  readonly prefix: string | undefined;
}

/** The lines of each header, by its name in lower case. */
export type ForwardedOutcome = Map<string, string[]>;

/** By the Forwarded header; undefined when there is none. Throws BAD_REQUEST. */
export function saidByForwarded(
  found: ForwardedOutcome,
  peer: Address,
  trusted: Trusted,
): ForwardedFacts | undefined {
  const lines = found.get("forwarded");
  if (!lines) return undefined;
  const elements = readForwarded(lines);
  const hops = elements.map((element) => element.client);
  const { client, outermost } = walk(hops, peer, trusted);
  // The outermost trusted proxy saw the client's request itself; those behind it speak of what they got from it.
  const believed = elements.slice(outermost);
  const first = (key: "proto" | "host") => believed.find((element) => element[key] !== undefined)?.[key];
  return { client, proto: first("proto"), host: first("host"), port: undefined, prefix: undefined };
}

/** By X-Forwarded headers; undefined when there is none. Throws BAD_REQUEST. */
export function saidByXForwarded(
  found: ForwardedOutcome,
  peer: Address,
  trusted: Trusted,
): ForwardedFacts | undefined {
  const path = members(found.get("x-forwarded-for"));
  const { client, outermost } = walk(path.map(hopOf), peer, trusted);
  const one = (name: string) => ofHop(name, members(found.get(name)), outermost, path.length);
  const proto = one("x-forwarded-proto");
  const host = one("x-forwarded-host");
  const port = one("x-forwarded-port");
  const prefix = one("x-forwarded-prefix");
  const any = client ?? proto ?? host ?? port ?? prefix;
  return any === undefined ? undefined : { client, proto, host, port, prefix };
}

interface Walk {
  /** The last that is known; undefined when nothing was said. */
  readonly client: Address | undefined;
  /** Index of what the outermost trusted proxy said. */
  readonly outermost: number;
}

/** `hops` as they were appended, each by the proxy that it connected to; undefined for one that is not known. */
function walk(hops: readonly (Address | undefined)[], peer: Address, trusted: Trusted): Walk {
  let client: Address | undefined;
  let at = hops.length;
  while (at > 0 && trusted(client ?? peer)) {
    const hop = hops[--at];
    if (hop === undefined) break;
    client = hop;
  }
  return { client, outermost: at };
}

const NONE: readonly string[] = [];

function members(lines: readonly string[] | undefined): readonly string[] {
  const [line = ""] = lines ?? NONE;
  // Mostly there is one.
  if ((lines?.length ?? 0) < 2 && !line.includes(",")) return line === "" ? NONE : [line];
  const all = (lines ?? NONE).flatMap((one) => one.split(",")).map((member) => member.trim());
  return all.filter((member) => member !== "");
}

const HOP = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::(\d{1,5}))?$/;

/** An address, perhaps with a port; "unix:" is what nginx says of a Unix socket. Undefined for what is no address. */
function hopOf(text: string): Address | undefined {
  if (text === "unix:") return { address: "", port: 0 };
  const bare = canonicalIp(text);
  if (bare !== undefined) return { address: bare, port: 0 };
  const [, six, name = "", port = "0"] = HOP.exec(text) ?? [];
  const address = canonicalIp(six ?? name);
  return address === undefined || Number(port) > 65_535 ? undefined : { address, port: Number(port) };
}

/**
 * Most proxies write one value anew; some append, as they do to X-Forwarded-For, and then each value belongs to its hop.
 * What cannot be told apart cannot be believed.
 */
function ofHop(name: string, values: readonly string[], hop: number, hops: number): string | undefined {
  const [first] = values;
  if (values.every((value) => value === first)) return first;
  if (values.length === hops) return values[hop];
  throw new SallyportError(
    "BAD_REQUEST",
    `${name} has several values, and not one for each hop: ${values.join(", ")}`,
  );
}
