// One spelling for each IP address, so that equal addresses are equal strings.
import { isIPv4, isIPv6, SocketAddress } from "node:net";

/**
 * Lower case, the longest run of zeros left out (RFC 5952), an IPv4 address mapped into IPv6 as IPv4, no zone; undefined
 * when `text` is no IP address.
 */
export function canonicalIp(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text)) return undefined;
  const zone = text.indexOf("%");
  const address = zone < 0 ? text : text.slice(0, zone);
  const canonical = new SocketAddress({ address, family: "ipv6" }).address;
  return MAPPED.test(canonical) ? canonical.slice(7) : canonical;
}

const MAPPED = /^::ffff:[\d.]+$/;
