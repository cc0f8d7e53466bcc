// The proxies whose headers are believed: addresses, as the operator lists them.
import { BlockList, isIP } from "node:net";
import type { Address } from "../exchange/index.ts";
import { canonicalIp } from "../sockets/address.ts";

/** Whether a peer is one of those listed. */
export type Trusted = (peer: Address) => boolean;

/** `unix`: peers over Unix sockets; `all`: every peer; or a range of addresses. */
export type TrustRule =
  | { readonly kind: "all" | "unix" }
  | { readonly kind: "range"; readonly address: string; readonly bits: number };

/** `127.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`, `::ffff:10.0.0.0/104`, `unix:`, `*`; undefined for what is none of these. */
export function parseTrust(text: string): TrustRule | undefined {
  if (text === "*") return { kind: "all" };
  if (text === "unix:") return { kind: "unix" };
  const [, written = "", digits] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = canonicalIp(written);
  if (address === undefined) return undefined;
  const width = isIP(written) === 4 ? 32 : 128;
  const bits = digits === undefined ? width : Number(digits);
  if (bits > width) return undefined;
  return isIP(address) === 4 && width === 128 ? mapped(address, bits) : { kind: "range", address, bits };
}

/** The first 96 bits of a mapped address only mark it as IPv4. A wider range has no equivalent in IPv4. */
const mapped = (address: string, bits: number): TrustRule | undefined =>
  bits < 96 ? undefined : { kind: "range", address, bits: bits - 96 };

/** Addresses whose result is cached. */
const MOST_KNOWN = 1_024;

/** Undefined where no peer is trusted, so that no request pays for the check. */
export function trustOf(rules: readonly TrustRule[]): Trusted | undefined {
  if (rules.length === 0) return undefined;
  if (rules.some(({ kind }) => kind === "all")) return () => true;
  const unix = rules.some(({ kind }) => kind === "unix");
  const list = listOf(rules);
  const known = new Map<string, boolean>();
  return ({ address, unknown }) => {
    if (unknown) return false;
    const answer = known.get(address);
    if (answer !== undefined) return answer;
    const ip = canonicalIp(address);
    const trusted = ip === undefined ? unix && isUnix(address) : list.check(ip, familyOf(ip));
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(address, trusted);
    return trusted;
  };
}

/** Any other text, from a server in front, is no address at all. */
const isUnix = (address: string): boolean => address === "" || address.startsWith("/");

function listOf(rules: readonly TrustRule[]): BlockList {
  const list = new BlockList();
  for (const rule of rules)
    if (rule.kind === "range") list.addSubnet(rule.address, rule.bits, familyOf(rule.address));
  return list;
}

const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 4 ? "ipv4" : "ipv6");
