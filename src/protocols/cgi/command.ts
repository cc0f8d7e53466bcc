// The command line and the environment of a CGI program (RFC 3875, 4.1, 4.4, 7.2): meta-variables, the configured
// variables, and almost nothing of our own environment.
// Tested by test/protocols/cgi/gateway.test.ts.

import { CONSTANT_VARIABLES, decodePath, metaVariables } from "../../cgi/metavariables/encode.ts";
import type { Exchange } from "../../exchange/index.ts";
import type { CgiProgram } from "./program.ts";
import { tooLarge } from "./start-failure.ts";

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface CommandOptions {
  /** Variables of our own environment. */
  readonly inherited: Readonly<Record<string, string>>;
  /** More variables; they replace those of the request. */
  readonly env: Readonly<Record<string, string>>;
  readonly documentRoot: string;
  readonly argvFromQuery: boolean;
}

/**
 * How to run `program` for `exchange`, whose mount is the program's. `length`: of the body as the program will read it.
 * Throws BAD_PATH, and HEADERS_TOO_LARGE where a shell could not hand a variable on.
 */
export function commandFor(
  exchange: Exchange,
  program: CgiProgram,
  length: number | undefined,
  options: CommandOptions,
): Command {
  const { env, bytes } = environment(exchange, program, length, options);
  const words = options.argvFromQuery ? queryWords(exchange) : [];
  const line = program.interpreter ? [program.interpreter, program.file, ...words] : [program.file, ...words];
  return bytes.length === 0
    ? { command: line[0] as string, args: line.slice(1), env }
    : viaShell(line, env, bytes);
}

const DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin";

interface Environment {
  /** Text, which Node passes on as UTF-8. */
  readonly env: Record<string, string>;
  /** Values that are not UTF-8, as latin-1. */
  readonly bytes: (readonly [name: string, value: string])[];
}

function environment(
  exchange: Exchange,
  program: CgiProgram,
  length: number | undefined,
  { inherited, env: configured, documentRoot }: CommandOptions,
): Environment {
  const env: Record<string, string> = { PATH: DEFAULT_PATH, ...inherited };
  const bytes: [name: string, value: string][] = [];
  const put = (name: string, value: string): void => {
    const text = asText(value);
    if (text !== undefined) env[name] = text;
    else if (!(name in configured)) bytes.push([name, value]);
  };
  for (const [name, value] of CONSTANT_VARIABLES) env[name] = value;
  metaVariables(exchange, put, length);
  putTranslated(exchange, documentRoot, put);
  Object.assign(env, { DOCUMENT_ROOT: documentRoot, SCRIPT_FILENAME: program.file });
  // php-cgi runs nothing without it: a sign that a server, not a client, chose the script.
  if (program.interpreter) env.REDIRECT_STATUS = "200";
  return { env: Object.assign(env, configured), bytes };
}

/** 4.1.6: where PATH_INFO would lie below the document root; not given for a path that climbs. */
function putTranslated(
  { request, mount }: Exchange,
  documentRoot: string,
  put: (name: string, value: string) => void,
): void {
  const info = decodePath(request.path.slice(mount.length));
  if (!info.startsWith("/") || info.split("/").includes("..")) return;
  put("PATH_TRANSLATED", Buffer.from(documentRoot, "utf8").toString("latin1") + info);
}

const ASCII = /^[\0-\x7f]*$/;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text whose UTF-8 bytes `latin1` has; undefined when they are not UTF-8. */
function asText(latin1: string): string | undefined {
  if (ASCII.test(latin1)) return latin1;
  try {
    return utf8.decode(Buffer.from(latin1, "latin1"));
  } catch {
    return undefined;
  }
}

/**
 * Node passes environments on as UTF-8 only. Where bytes are something else (a path of %FF), a shell sets them before
 * it becomes the program. All special characters are escaped; the "x" keeps trailing line ends.
 */
function viaShell(
  line: readonly string[],
  env: Readonly<Record<string, string>>,
  bytes: Environment["bytes"],
): Command {
  const words: string[] = [];
  const sets = bytes.map(([name, value]) => {
    // The shell could not hand it on, and its own exit status would pass for the program's.
    if (name.length + value.length > LONGEST) throw tooLarge();
    const pieces = piecesOf(value);
    words.push(...pieces.map(escaped));
    const places = pieces.map((_, i) => `"\${${i + 1}}"`).join(" ");
    return `${name}=$(printf %b ${places} x);export ${name}="\${${name}%x}";shift ${pieces.length};`;
  });
  return { command: "/bin/sh", args: ["-c", `${sets.join("")}exec "$@"`, "sh", ...words, ...line], env };
}

/** Bytes of a variable, its name included, that Linux hands to a program: 128 KiB without "=" and the byte 0 (execve(2)). */
const LONGEST = 131_070;
/** Bytes that still fit into one argument when each is written as five characters (Linux: 131,072). */
const PIECE = 20_000;

function piecesOf(value: string): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < value.length; at += PIECE) pieces.push(value.slice(at, at + PIECE));
  return pieces;
}

const escaped = (bytes: string): string => bytes.replace(/[^A-Za-z0-9/._-]/g, escapeByte);

const escapeByte = (byte: string): string => `\\0${byte.charCodeAt(0).toString(8).padStart(3, "0")}`;

/** 4.4: a query of words, without "=", as arguments; none at all when one cannot be given exactly (C4). */
function queryWords({ request }: Exchange): string[] {
  const { method, query } = request;
  if ((method !== "GET" && method !== "HEAD") || query === "" || query.includes("=")) return [];
  const words = query.split("+").map(wordOf);
  return words.every((word) => word !== undefined) ? words : [];
}

function wordOf(raw: string): string | undefined {
  try {
    return asText(decodePath(raw));
  } catch {
    return undefined;
  }
}
