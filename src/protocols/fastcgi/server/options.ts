// The options of FastCGI's gateway: where the application is, what it is asked, and how long we wait for it.
// Tested by test/protocols/fastcgi/server/gateway.test.ts.
import { CONSTANT_VARIABLES } from "../../../cgi/metavariables/encode.ts";
import { CONNECTED_CHECKS, type ConnectedApplicationOptions, latin1Variables } from "../../../cgi/options.ts";
import { SallyportError, silentLog } from "../../../exchange/index.ts";
import { RESPONSE_BUFFER_LIMITS } from "../../../exchange/response-buffer.ts";
import {
  aCount,
  addresses,
  aFlag,
  anyText,
  aText,
  type Checks,
  checkOptions,
  milliseconds,
  oneOf,
  options,
  texts,
  underPresentNames,
} from "../../../options/checks.ts";
import {
  checkRecycling,
  type Processes,
  processCount,
  RECYCLING_CHECKS,
  type RecyclingOptions,
} from "../../../options/processes.ts";
import { PROGRAM_CHECKS, type ProgramOptions } from "../../../options/program.ts";
import type { Role } from "../codec.ts";
import type { RequestSettings } from "./request.ts";

export interface FastcgiOptions
  extends ConnectedApplicationOptions,
    Omit<ProgramOptions, "processes">,
    RecyclingOptions {
  /** Where the application listens, `unix:PATH` or `HOST:PORT`; of several the least busy is asked. */
  readonly address?: string | readonly string[] | undefined;
  /** Or: the program that we start, and its arguments. */
  readonly command?: readonly string[] | undefined;
  /** Processes of `command`: a number, or bounds between which it follows the requests. Default 1. */
  readonly processes?: Processes | undefined;
  /** What `command` listens on. Default "unix". */
  readonly transport?: "unix" | "tcp" | undefined;

  /** Default "responder". A "filter" gets the file that the path names below `root` as its second stream. */
  readonly role?: Exclude<Role, "authorizer"> | undefined;
  /** Asked first: only requests that it allows go on, with the variables that it adds. */
  readonly authorizer?: FastcgiOptions | undefined;
  /** The directory of scripts: SCRIPT_FILENAME and the other variables of PHP are set, and only existing files passed. */
  readonly root?: string | undefined;
  /** The ending of scripts below `root`. Default ".php". */
  readonly suffix?: string | undefined;
  /** Scripts that answer for a directory below `root`. Default `["index.php"]`. */
  readonly index?: readonly string[] | undefined;
  /** The script, by its path below `root`, that answers where none does: a front controller such as "index.php". */
  readonly fallback?: string | undefined;
  /** Directories besides `root` that links in it may lead to, "/" for any. Default none. */
  readonly links?: readonly string[] | undefined;

  /**
   * Whether connections are kept for further requests: for about a second where others may need them, see `idleTimeout`. Default: unless
   * the application leaves FCGI_GET_VALUES unanswered, or is one with libfcgi. With false, and `connections`, it is not asked.
   */
  readonly keep?: boolean | undefined;
  /** Connections at once to each address. Default: as many as the application says it takes, or 16. */
  readonly connections?: number | undefined;
  /**
   * Milliseconds for which a kept connection may be idle. Default: 1 s at an `address` of an application that takes one
   * request at a time on a connection, as PHP-FPM, so that others who use it get their turn; otherwise 30 s.
   */
  readonly idleTimeout?: number | undefined;
  /**
   * Milliseconds between two pieces of a response, or of an upload that the application has to take; then the response is
   * cut. 0 for no limit. Default 60 s.
   */
  readonly stallTimeout?: number | undefined;
}

/** The names that some of these options had before 1.0. */
export interface OldFastcgiNames {
  /** @deprecated It is called `chdir`. */
  readonly cwd?: string | undefined;
}

const CHECKS: Checks<FastcgiOptions> = {
  ...CONNECTED_CHECKS,
  ...PROGRAM_CHECKS,
  ...RECYCLING_CHECKS,
  processes: processCount,
  address: addresses,
  command: texts,
  transport: oneOf("unix", "tcp"),
  role: oneOf("responder", "filter"),
  authorizer: (value, name) => options(AUTHORIZER_CHECKS)(value, name),
  root: aText,
  suffix: anyText,
  index: texts,
  fallback: aText,
  links: texts,
  keep: aFlag,
  connections: aCount,
  idleTimeout: milliseconds,
  stallTimeout: milliseconds,
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

const RECYCLING = ["maxRequests", "maxAge", "maxMemory", "memoryLimit"] as const;

/** Throws CONFIG_INVALID for options that contradict each other. */
export function checkSense(options: FastcgiOptions): void {
  const { address, command, role, root } = options;
  const invalid = (why: string): never => {
    throw new SallyportError("CONFIG_INVALID", why);
  };
  const named = addressesOf({ address }).length > 0;
  if (named === (command !== undefined)) invalid("a FastCGI application has either an address or a command");
  if (command !== undefined && !command[0]) invalid("the command of a FastCGI application is empty");
  if (role === "filter" && root === undefined)
    invalid("a FastCGI filter needs a root: the directory of its files");
  const useless = (["processes", ...RECYCLING] as const).filter((name) => options[name] !== undefined);
  if (command === undefined && useless.length > 0)
    invalid(`${useless.join(", ")}: only for a FastCGI application that is started by a command`);
  checkRecycling(options);
}

export function addressesOf({ address = [] }: FastcgiOptions): readonly string[] {
  return typeof address === "string" ? [address] : address;
}

/** Variables of every request, latin-1. */
export const fastcgiVariables = ({ variables }: FastcgiOptions): ReadonlyMap<string, string> =>
  new Map([...CONSTANT_VARIABLES, ...latin1Variables(variables)]);

export const requestSettings = ({
  log = silentLog,
  timeout = 30_000,
  stallTimeout = 60_000,
  redirect,
}: FastcgiOptions): RequestSettings => ({
  log,
  timeout,
  stallTimeout,
  buffer: RESPONSE_BUFFER_LIMITS,
  redirect,
});
