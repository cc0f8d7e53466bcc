// The streams and the environment of a process that a web server started as a CGI program (RFC 3875, 4.1, 4.2, 6).
// Tested by test/protocols/cgi/listener.test.ts.
import { readFileSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import type { VariableList } from "../../cgi/metavariables/decode.ts";

/** The variables and streams of a CGI program. */
export interface CgiStdio {
  /** Name and value in turn, bytes as latin-1. */
  readonly variables: VariableList;
  readonly stdin: Readable;
  readonly stdout: Writable;
  /** Writes to `stdout`. */
  readonly write: Write;
}

export type Write = (bytes: Uint8Array, written?: () => void) => boolean;

/**
 * Those of this process. From now on the application prints to stderr, which is the server's log: on stdout its text
 * would become a part of the response.
 */
export function processStdio(): CgiStdio {
  const { stdin, stdout, stderr } = process;
  const write = writeOf(stdout);
  stdout.write = stderr.write.bind(stderr);
  const variables = processVariables();
  // Libraries would take a client's field "Proxy" for the proxy of their own requests (CVE-2016-5385).
  delete process.env.HTTP_PROXY;
  return { variables, stdin, stdout, write };
}

export const writeOf = (stdout: Writable): Write => {
  const write = stdout.write.bind(stdout);
  return (bytes, written) => write(bytes, () => written?.());
};

/** As text; or as bytes, where values may be other than UTF-8. */
export type GivenVariables = Readonly<Record<string, string | undefined>> | VariableList;

/** Text becomes UTF-8, each byte a character. */
export function variablesOf(env: GivenVariables): VariableList {
  if (isList(env)) return env;
  return Object.entries(env).flatMap(([name, value]) => [bytes(name), bytes(value ?? "")]);
}

const isList = (env: GivenVariables): env is VariableList => Array.isArray(env);

const bytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

/** Node makes text of the environment, and loses bytes that are not UTF-8 (a path of %FF); Linux also has the bytes. */
function processVariables(): VariableList {
  try {
    const entries = readFileSync("/proc/self/environ", "latin1")
      .split("\0")
      .filter((entry) => entry.includes("="));
    return entries.flatMap((entry) => {
      const mark = entry.indexOf("=");
      return [entry.slice(0, mark), entry.slice(mark + 1)];
    });
  } catch {
    return variablesOf(process.env);
  }
}
