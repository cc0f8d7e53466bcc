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

/** A line for a POSIX shell. A body that is no text comes from a file, as base64. */
export function curlOf({ method, url, headers, body }: CurlRequest): string {
  const words = ["curl", "-i", "--path-as-is", ...methodWords(method, body)];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (!OWN.has(name.toLowerCase())) words.push("-H", quoted(`${name}: ${headers[i + 1]}`));
  }
  if (body.length === 0) return [...words, quoted(url)].join(" ");
  if (isText(body)) return [...words, "--data-binary", quoted(body.toString("utf8")), quoted(url)].join(" ");
  return `printf %s ${body.toString("base64")} | base64 -d | ${[...words, "--data-binary", "@-", quoted(url)].join(" ")}`;
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
