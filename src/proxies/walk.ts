// Finds the client behind several proxies: from the one that connected to us back over the trusted ones to the first
// address that is not trusted. Anything to the left of that may be forged.
// Tested by test/proxies/forwarded.test.ts.
import { type Address, SallyportError } from "../exchange/index.ts";
import { canonicalIp } from "../sockets/address.ts";
import { readForwarded } from "./header.ts";
import type { Trusted } from "./trust.ts";

/** The facts about the client that trusted proxies give; undefined where they give none. */
export interface ForwardedFacts {
  readonly client: Address | undefined;
  readonly proto: string | undefined;
  readonly host: string | undefined;
  readonly port: string | undefined;
  readonly prefix: string | undefined;
}

/** The lines of each header, by its name in lower case. */
export type ForwardedLines = Map<string, string[]>;

/** By the Forwarded header; undefined when there is none. Throws BAD_REQUEST. */
export function factsOfForwarded(
  found: ForwardedLines,
  peer: Address,
  trusted: Trusted,
): ForwardedFacts | undefined {
  const lines = found.get("forwarded");
  if (!lines) return undefined;
  const elements = readForwarded(lines);
  const hops = elements.map((element) => element.client);
  const { client, outermost } = walk(hops, peer, trusted);
  // The outermost trusted proxy saw the client's request itself; those behind it describe the request they got from it.
  const believed = elements.slice(outermost);
  const first = (key: "proto" | "host") => believed.find((element) => element[key] !== undefined)?.[key];
  return { client, proto: first("proto"), host: first("host"), port: undefined, prefix: undefined };
}

/** By X-Forwarded headers; undefined when there is none. Throws BAD_REQUEST. */
export function factsOfXForwarded(
  found: ForwardedLines,
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
  /** The outermost address that is known; undefined when there is none. */
  readonly client: Address | undefined;
  /** Index of the entry of the outermost trusted proxy. */
  readonly outermost: number;
}

/** `hops` as the proxies appended them, each the address that connected to one; undefined where it is not known. */
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
  // Usually there is one.
  if ((lines?.length ?? 0) < 2 && !line.includes(",")) return line === "" ? NONE : [line];
  const all = (lines ?? NONE).flatMap((one) => one.split(",")).map((member) => member.trim());
  return all.filter((member) => member !== "");
}

const HOP = /^(?:\[([^\]]*)\]|([^:[\]]+))(?::(\d{1,5}))?$/;

/** An address, perhaps with a port; "unix:" is how nginx writes a Unix socket. Undefined for what is no address. */
function hopOf(text: string): Address | undefined {
  if (text === "unix:") return { address: "", port: 0 };
  const bare = canonicalIp(text);
  if (bare !== undefined) return { address: bare, port: 0 };
  const [, six, name = "", port = "0"] = HOP.exec(text) ?? [];
  const address = canonicalIp(six ?? name);
  return address === undefined || Number(port) > 65_535 ? undefined : { address, port: Number(port) };
}

/**
 * Most proxies replace the value; some append to it, as to X-Forwarded-For, so that each value belongs to a hop. Values
 * that cannot be assigned to hops are refused.
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
