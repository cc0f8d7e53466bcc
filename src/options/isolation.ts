// Options of applications that have processes of their own: as whom they run, within which limits, and what they inherit.
// Tested by test/processes/isolation.test.ts.
import { aWhole, type Check, type Checks, must, options, texts } from "./checks.ts";

/** Limits of the operating system for each process (setrlimit(2)), soft and hard. */
export interface ResourceLimits {
  /** Descriptors (RLIMIT_NOFILE). */
  readonly openFiles?: number | undefined;
  /** Bytes of address space (RLIMIT_AS). */
  readonly memory?: number | undefined;
  /** Milliseconds of processor time in all, rounded up to seconds (RLIMIT_CPU); then SIGXCPU. */
  readonly cpuTime?: number | undefined;
  /** Processes and threads of its user, on the whole machine (RLIMIT_NPROC). */
  readonly processes?: number | undefined;
  /** Bytes of a core dump; 0 for none (RLIMIT_CORE). */
  readonly core?: number | undefined;
  /** Bytes of a file that it writes; then SIGXFSZ (RLIMIT_FSIZE). */
  readonly fileSize?: number | undefined;
}

export interface IsolationOptions {
  /** User by name or number, with its groups; needs a server that runs as root. Default: the server's. */
  readonly user?: string | number | undefined;
  /** Group by name or number. Default: that of `user`. */
  readonly group?: string | number | undefined;
  /** The file mode creation mask, such as 0o027. Default: the server's. */
  readonly umask?: number | undefined;
  readonly rlimits?: ResourceLimits | undefined;
  /**
   * Variables of the server's environment that are passed on, by name or with `*`, besides PATH, LANG, LC_*, TZ, TMPDIR and
   * LD_LIBRARY_PATH. Default: all for Python and FastCGI applications, none for CGI programs.
   */
  readonly inheritEnv?: readonly string[] | undefined;
}

const RESOURCE_CHECKS: Checks<ResourceLimits> = {
  openFiles: aWhole,
  memory: aWhole,
  cpuTime: aWhole,
  processes: aWhole,
  core: aWhole,
  fileSize: aWhole,
};

const MOST_ID = 2 ** 32 - 2;
const NAME = /^[^\s:,-][^\s:,]*$/;

/** A user or group: a name, or a number. */
export const isAccount = (value: unknown): value is string | number =>
  typeof value === "string"
    ? NAME.test(value)
    : Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= MOST_ID;

const anAccount: Check = must("a name or a number", isAccount);

export const ISOLATION_CHECKS: Checks<IsolationOptions> = {
  user: anAccount,
  group: anAccount,
  umask: must(
    "a mode such as 0o027",
    (value) => Number.isSafeInteger(value) && (Number(value) & ~0o777) === 0,
  ),
  rlimits: options(RESOURCE_CHECKS),
  inheritEnv: texts,
};
