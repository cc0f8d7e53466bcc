// What nobody should read over somebody's shoulder: values of fields that are secrets, each character replaced, so that lengths
// and places stay true.
import type { Headers } from "../exchange/index.ts";
import type { WireField } from "../wire/fields.ts";

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

/** A line that names a secret field, and what follows it, with lines that continue it (RFC 9112, 5.2), in a head well formed or not. */
const SECRET_LINE: RegExp = new RegExp(
  `^((${[...SECRET].join("|")})[ \\t]*:[ \\t]*)([^\\n]*(?:\\n[ \\t][^\\n]*)*)`,
  "gim",
);

/** The fields with their secrets masked. */
export const masked = (headers: Headers): string[] =>
  headers.map((text, i) => {
    const name = headers[i - 1] as string;
    return i % 2 === 1 && isSecret(name) ? maskOf(name, text) : text;
  });

export const isSecret = (name: string): boolean => SECRET.has(name.toLowerCase());

/** A scheme such as "Bearer" stays readable, and the ends of lines stay. */
function maskOf(name: string, value: string): string {
  const scheme = /authorization$/i.test(name) ? (/^[A-Za-z]+ +/.exec(value)?.[0] ?? "") : "";
  return scheme + value.slice(scheme.length).replace(/(\n[ \t]+)|[^\r\n]/g, (_, fold = MASK) => fold);
}

/** `bytes` with every occurrence of a secret value of these fields masked, for answers that are kept as they came. */
export function maskedBytes(bytes: Buffer, headers: Headers): Buffer {
  let text = bytes.toString("latin1");
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i] as string, headers[i + 1] as string];
    if (isSecret(name) && value !== "") text = text.replaceAll(value, maskOf(name, value));
  }
  return Buffer.from(text, "latin1");
}

/** The output of a program with every line masked that names a secret field: of a malformed head nobody knows where it ends. */
export function maskedLines(bytes: Buffer): Buffer {
  const text = bytes.toString("latin1");
  const shown = text.replace(SECRET_LINE, (_, before, name, value) => before + maskOf(name, value));
  return Buffer.from(shown, "latin1");
}

/** `bytes` with the values masked of those of its `fields` that have the name of a secret one. */
export function maskedFields(bytes: Buffer, fields: readonly WireField[]): Buffer {
  const shown = Buffer.from(bytes);
  for (const { from, to } of secretsIn(fields)) shown.fill(MASK, from, to);
  return shown;
}

function secretsIn(fields: readonly WireField[]): WireField[] {
  return fields.flatMap(({ name, fields: inner = [] }) =>
    isSecret(name) ? inner.filter((field) => field.name === "value") : secretsIn(inner),
  );
}
