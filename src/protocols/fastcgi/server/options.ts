// How a FastCGI application is reached, asked, and waited for.

import { type Exchange, type Log, SallyportError } from "../../../exchange/index.ts";
import {
  aCount,
  addresses,
  aFlag,
  aFunction,
  aLog,
  anyText,
  aText,
  aWhole,
  bytesCount,
  type Checks,
  checkOptions,
  environment,
  milliseconds,
  oneOf,
  options,
  texts,
  underPresentNames,
} from "../../../options/checks.ts";
import type { Role } from "../codec.ts";
import type { SpawnedApplicationOptions } from "./process.ts";

export interface FastcgiOptions {
  /** Where the application listens, `unix:PATH` or `HOST:PORT`; of several the least busy is asked. */
  readonly address?: string | readonly string[] | undefined;
  /** Or: the program that we start, and its arguments. */
  readonly command?: readonly string[] | undefined;
  /** Processes of `command`. Default 1. */
  readonly processes?: number | undefined;
  /** More environment variables for `command`. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Working directory of `command`. */
  readonly chdir?: string | undefined;
  /** What `command` listens on. Default "unix". */
  readonly transport?: "unix" | "tcp" | undefined;

  /** Default "responder". A "filter" gets the file that the path names below `root` as its second stream. */
  readonly role?: Exclude<Role, "authorizer"> | undefined;
  /** Asked first, and only what it allows goes on; what it tells about the request goes along. */
  readonly authorizer?: FastcgiOptions | undefined;
  /** The directory of scripts: SCRIPT_FILENAME and the other variables of PHP are set, and only existing files passed. */
  readonly root?: string | undefined;
  /** What scripts below `root` end with. Default ".php". */
  readonly suffix?: string | undefined;
  /** Scripts that answer for a directory below `root`. Default `["index.php"]`. */
  readonly index?: readonly string[] | undefined;
  /** Meta-variables besides those of the request, or instead of them. */
  readonly variables?: Readonly<Record<string, string>> | undefined;

  /** Whether connections are kept for further requests. Default true. */
  readonly keep?: boolean | undefined;
  /** Connections at once to each address. Default: as many as the application says it takes, or 16. */
  readonly connections?: number | undefined;
  /** Milliseconds for which a kept connection may be idle. Default 30 s. */
  readonly idleTimeout?: number | undefined;
  /** Milliseconds until a connection must stand. Default 5 s. */
  readonly connectTimeout?: number | undefined;
  /** Milliseconds until the response must have begun; then 504. 0 for no limit. Default 30 s. */
  readonly timeout?: number | undefined;
  /** Requests that may wait for a connection; one more gets 503. Default 1024. */
  readonly queue?: number | undefined;
  /** Milliseconds that a request may wait for a connection. Default 30 s. */
  readonly queueTimeout?: number | undefined;
  /** Whether bodies are complete before the application sees them; those of unknown length always are. Default true. */
  readonly bufferBody?: boolean | undefined;
  /** Bytes of a request body that is set aside until it is complete. Default 4 GiB. */
  readonly maxBody?: number | undefined;
  /** Answers local redirects (RFC 3875, 6.2.2): the server's routes. Without it clients are redirected. */
  readonly redirect?: ((exchange: Exchange, target: string) => void) | undefined;
  readonly log?: Log | undefined;
}

/** The names that some of these options had before 1.0. */
export interface OldFastcgiNames {
  /** @deprecated It is called `chdir`. */
  readonly cwd?: string | undefined;
}

const CHECKS: Checks<FastcgiOptions> = {
  address: addresses,
  command: texts,
  processes: aCount,
  env: environment,
  chdir: aText,
  transport: oneOf("unix", "tcp"),
  role: oneOf("responder", "filter"),
  authorizer: (value, name) => options(AUTHORIZER_CHECKS)(value, name),
  root: aText,
  suffix: anyText,
  index: texts,
  variables: environment,
  keep: aFlag,
  connections: aCount,
  idleTimeout: milliseconds,
  connectTimeout: milliseconds,
  timeout: milliseconds,
  queue: aWhole,
  queueTimeout: milliseconds,
  bufferBody: aFlag,
  maxBody: bytesCount,
  redirect: aFunction,
  log: aLog,
};

/** An authorizer's options may have old names until they are read. */
const AUTHORIZER_CHECKS = { ...CHECKS, cwd: aText };

/** The options under their present names. Throws CONFIG_INVALID for arguments of `place` ("fastcgi()") that are wrong. */
export function checkFastcgi(place: string, given: FastcgiOptions & OldFastcgiNames): FastcgiOptions {
  const options = checkOptions<FastcgiOptions>(place, given, CHECKS, '{ address: "127.0.0.1:9000" }');
  const { authorizer, log } = options;
  if (authorizer === undefined) return options;
  return { ...options, authorizer: underPresentNames(`${place}: authorizer`, authorizer, CHECKS, log) };
}

/** Throws CONFIG_INVALID for options that contradict each other. */
export function checkSense({ address, command, role, root }: FastcgiOptions): void {
  const invalid = (why: string): never => {
    throw new SallyportError("CONFIG_INVALID", why);
  };
  const named = addressesOf({ address }).length > 0;
  if (named === (command !== undefined)) invalid("a FastCGI application has either an address or a command");
  if (command !== undefined && !command[0]) invalid("the command of a FastCGI application is empty");
  if (role === "filter" && root === undefined)
    invalid("a FastCGI filter needs a root: the directory of its files");
}

export function addressesOf({ address = [] }: FastcgiOptions): readonly string[] {
  return typeof address === "string" ? [address] : address;
}

export const applicationOptions = (
  command: readonly string[],
  { processes = 1, env = {}, chdir, transport = "unix" }: FastcgiOptions,
  log: Log,
): SpawnedApplicationOptions => ({ command, processes, env, cwd: chdir, transport, log });
