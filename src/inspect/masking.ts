// What nobody should read over somebody's shoulder: values of fields that are secrets, each character replaced, so that lengths
// and places stay true.
import type { Headers } from "../exchange/index.ts";

const SECRET: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "x-api-key",
  "x-auth-token",
  "x-csrf-token",
]);

const MASK = "*";

/** The fields with their secrets masked. */
export const masked = (headers: Headers): string[] =>
  headers.map((text, i) => (i % 2 === 1 && isSecret(headers[i - 1] as string) ? maskOf(text) : text));

export const isSecret = (name: string): boolean => SECRET.has(name.toLowerCase());

/** A scheme such as "Bearer" stays readable. */
function maskOf(value: string): string {
  const scheme = /^[A-Za-z]+ +/.exec(value)?.[0] ?? "";
  return scheme + MASK.repeat(value.length - scheme.length);
}

/** `bytes` with every occurrence of a secret value of these fields masked, for answers that are kept as they came. */
export function maskedBytes(bytes: Buffer, headers: Headers): Buffer {
  let text = bytes.toString("latin1");
  for (let i = 0; i < headers.length; i += 2) {
    const value = headers[i + 1] as string;
    if (isSecret(headers[i] as string) && value !== "") text = text.replaceAll(value, maskOf(value));
  }
  return Buffer.from(text, "latin1");
}
