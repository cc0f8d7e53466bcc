// Response heads as node:http2 takes them (RFC 9113, 8.2, 8.3.2): an object, names in lower case. Hop-by-hop fields, which
// applications set for HTTP/1.1, are silently left out.
// Tested by test/protocols/http2/responses.test.ts.
import type { OutgoingHttpHeaders } from "node:http2";
import { type Headers, HOP_BY_HOP, type ResponseHead } from "../../exchange/index.ts";
import { APART, joined, withoutEdges } from "../../http/fields.ts";

/** The length is set here; the other belongs to an upgrade that no longer exists (RFC 9113, 3.1). */
const OURS: ReadonlySet<string> = new Set(["content-length", "http2-settings"]);

/** `length` is that of the body; -1 when its end will tell, or there is none. */
export function responseFields(head: ResponseHead, length: number): OutgoingHttpHeaders {
  const fields = informFields(head);
  if (length >= 0) fields["content-length"] = length;
  return fields;
}

/** The same without a length, as an informational response has it. */
export function informFields({ status, headers }: ResponseHead): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = { ":status": status };
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (!OURS.has(name) && !HOP_BY_HOP.has(name)) add(fields, name, headers[i + 1] as string);
  }
  return fields;
}

export function trailerFields(trailers: Headers): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = {};
  for (let i = 0; i < trailers.length; i += 2)
    add(fields, (trailers[i] as string).toLowerCase(), trailers[i + 1] as string);
  return fields;
}

function add(fields: OutgoingHttpHeaders, name: string, given: string): void {
  const value = withoutEdges(given);
  const before = fields[name];
  // Not what objects inherit ("constructor"); one without a prototype would be slower.
  if (before === undefined || !Object.hasOwn(fields, name)) fields[name] = value;
  else if (Array.isArray(before)) before.push(value);
  else fields[name] = APART.has(name) ? [String(before), value] : joined(String(before), value);
}
