// A captured request as a command that sends it again. Masked values stay masked.
import type { Headers } from "../exchange/index.ts";

/** Fields that curl makes itself. */
const OWN: ReadonlySet<string> = new Set(["content-length", "transfer-encoding", "connection", "expect"]);

export interface CurlRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: Buffer;
}

/**
 * A line for a POSIX shell. A body that is no text comes from standard input, from base64. Without globbing off, curl would make several
 * requests of `[1-3]` and `{a,b}` in a URL.
 */
export function curlOf({ method, url, headers, body }: CurlRequest): string {
  const fields = [...fieldsOf(headers), ...unsetOf(headers, body)].flatMap((field) => ["-H", quoted(field)]);
  const words = ["curl", "-i", "--path-as-is", "--globoff", ...methodWords(method, body), ...fields];
  if (body.length === 0) return [...words, quoted(url)].join(" ");
  if (isText(body)) return [...words, "--data-binary", quoted(body.toString("utf8")), quoted(url)].join(" ");
  return `printf %s ${body.toString("base64")} | base64 -d | ${[...words, "--data-binary", "@-", quoted(url)].join(" ")}`;
}

function fieldsOf(headers: Headers): string[] {
  const fields: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (!OWN.has(name.toLowerCase())) fields.push(fieldOf(name, headers[i + 1] as string));
  }
  return fields;
}

/** `Name:` alone would mean that curl must leave the field out. */
const fieldOf = (name: string, value: string): string =>
  value.trim() === "" ? `${name};` : `${name}: ${value}`;

/** The fields that curl would add of its own accord, and the request did not have. */
function unsetOf(headers: Headers, body: Buffer): string[] {
  const names = new Set(headers.map((text, at) => (at % 2 === 0 ? text.toLowerCase() : "")));
  const added = ["User-Agent", "Accept", ...(body.length > 0 ? ["Content-Type"] : [])];
  return added.filter((name) => !names.has(name.toLowerCase())).map((name) => `${name}:`);
}

function methodWords(method: string, body: Buffer): string[] {
  if (method === "HEAD") return ["-I"];
  return method === (body.length > 0 ? "POST" : "GET") ? [] : ["-X", quoted(method)];
}

const quoted = (text: string): string =>
  /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** Valid UTF-8 without a byte 0, which no argument can have; and not "@", which curl takes for a file's name. */
const isText = (body: Buffer): boolean =>
  !body.includes(0) && body[0] !== 0x40 && Buffer.from(body.toString("utf8"), "utf8").equals(body);
