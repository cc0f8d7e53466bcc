// Formats of the access log: the well-known ones, and templates with nginx's `$variables`. A format becomes a function once.
import { SallyportError } from "../exchange/index.ts";
import { nearest } from "../options/did-you-mean.ts";
import { escapeField } from "../wire/escape.ts";
import { combinedLine, commonLine, extendedLine } from "./combined.ts";
import { type AccessEntry, fieldVariable, VARIABLES, type Variable } from "./variables.ts";

export interface AccessFormat {
  /** The line of an exchange that is over, with its line end. */
  readonly line: (entry: AccessEntry) => string;
  /** It says when the steps of the exchange happened. */
  readonly hasPhases: boolean;
  /** It has header fields of the response. */
  readonly hasResponseHeaders: boolean;
}

type Piece = string | ((entry: AccessEntry) => string);

const JSON_TEMPLATE = `{${[
  ["time", "time_iso8601"],
  ["remote", "remote_addr"],
  ["user", "remote_user"],
  ["method", "request_method"],
  ["target", "request_uri"],
  ["protocol", "server_protocol"],
  ["scheme", "scheme"],
  ["host", "host"],
  ["status", "status"],
  ["bytes", "body_bytes_sent"],
  ["requestBytes", "request_bytes"],
  ["referer", "http_referer"],
  ["userAgent", "http_user_agent"],
  ["totalMs", "request_ms"],
  ["queueMs", "queue_ms"],
  ["appMs", "app_ms"],
  ["writeMs", "write_ms"],
  ["app", "app"],
  ["interface", "interface"],
  ["worker", "worker"],
  ["pid", "pid"],
  ["error", "error"],
  ["tls", "ssl_protocol"],
  ["traceId", "trace_id"],
]
  .map(([key, name]) => `"${key}":$${name}`)
  .join(",")}}`;

const plain = (line: (entry: AccessEntry) => string): AccessFormat => ({
  line,
  hasPhases: false,
  hasResponseHeaders: false,
});

const NAMED: Readonly<Record<string, () => AccessFormat>> = {
  extended: () => plain(extendedLine),
  combined: () => plain(combinedLine),
  common: () => plain(commonLine),
  json: () => templateFormat(JSON_TEMPLATE),
};

export const ACCESS_FORMATS: readonly string[] = Object.keys(NAMED);

/** A format by its name, or of a template. Throws CONFIG_INVALID, which says what is wrong with it. */
export function accessFormat(text: string): AccessFormat {
  const named = Object.hasOwn(NAMED, text) ? NAMED[text] : undefined;
  if (named) return named();
  if (!text.includes("$"))
    throw invalid(
      `must be ${ACCESS_FORMATS.join(", ")} or a template with $variables, not ${JSON.stringify(text)}${meant(text, ACCESS_FORMATS)}`,
    );
  if (/[\x00-\x1f\x7f-\x9f\u2028\u2029]/.test(text))
    throw invalid("must be one line, without control characters");
  return templateFormat(text);
}

const invalid = (message: string): SallyportError => new SallyportError("CONFIG_INVALID", message);

/** A template that begins as an object is JSON: its values are escaped as such. */
function templateFormat(text: string): AccessFormat {
  const isJson = text.startsWith("{");
  const variables: Variable[] = [];
  const names: string[] = [];
  const pieces: Piece[] = [];
  let isQuoted = false;
  for (const part of partsOf(text)) {
    if (part.name === undefined) {
      pieces.push(part.text);
      if (isJson) isQuoted = endsQuoted(part.text, isQuoted);
      continue;
    }
    const variable = variableOf(part.name);
    names.push(part.name);
    variables.push(variable);
    pieces.push(isJson ? jsonPiece(variable, isQuoted) : textPiece(variable));
  }
  if (isJson) checkJson(pieces);
  return {
    line: lineOf(pieces),
    hasPhases: variables.some(({ phases }) => phases),
    hasResponseHeaders: names.some((name) => name.startsWith("sent_http_")),
  };
}

interface Part {
  readonly text: string;
  readonly name: string | undefined;
}

/** `$name`, `${name}`, and `$$` for a dollar. */
function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const found of text.matchAll(/\$(?:\{(\w*)\}|(\w+)|(\$)|)/g)) {
    const name = found[1] ?? found[2];
    if (!name && !found[3])
      throw invalid(`has a $ without a name at character ${found.index + 1}; write $$ for a dollar`);
    parts.push({ text: text.slice(at, found.index) + (found[3] ?? ""), name: undefined });
    if (name) parts.push({ text: "", name });
    at = found.index + found[0].length;
  }
  return [...parts, { text: text.slice(at), name: undefined }];
}

function variableOf(name: string): Variable {
  const found = (Object.hasOwn(VARIABLES, name) ? VARIABLES[name] : undefined) ?? fieldVariable(name);
  if (!found) throw invalid(`has the unknown variable $${name}${meant(name, Object.keys(VARIABLES), "$")}`);
  return found;
}

function meant(word: string, known: readonly string[], prefix = ""): string {
  const found = nearest(word, known);
  return found === undefined ? "" : `; did you mean ${prefix}${found}?`;
}

function lineOf(pieces: readonly Piece[]): (entry: AccessEntry) => string {
  return (entry) => {
    let line = "";
    for (const piece of pieces) line += typeof piece === "string" ? piece : piece(entry);
    return `${line}\n`;
  };
}

const textPiece =
  ({ of }: Variable): Piece =>
  (entry) => {
    const value = of(entry);
    return value ? escapeField(value) : "-";
  };

/** Without quotes in the template a value is a number, a string with its quotes, or null. */
const jsonPiece = ({ of, numeric }: Variable, isQuoted: boolean): Piece => {
  if (isQuoted) return (entry) => escapeJson(of(entry) ?? "").slice(1, -1);
  return (entry) => {
    const value = of(entry);
    if (value === undefined || value === "") return "null";
    return numeric ? value : escapeJson(value);
  };
};

/** JSON escapes only the controls below space; some viewers obey those above, or end a line there. */
const escapeJson = (value: string): string =>
  JSON.stringify(value).replace(
    /[\x7f-\x9f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** Whether the text ends within a string, if it begins so. */
function endsQuoted(text: string, begins: boolean): boolean {
  const quotes = text.replace(/\\./g, "").split('"').length - 1;
  return begins !== (quotes % 2 === 1);
}

/** With no value at all. */
function checkJson(pieces: readonly Piece[]): void {
  const sample = pieces.map((piece) => (typeof piece === "string" ? piece : "0")).join("");
  try {
    JSON.parse(sample);
  } catch {
    throw invalid("begins with { and would not be JSON: check quotes and commas; a value needs no quotes");
  }
}
