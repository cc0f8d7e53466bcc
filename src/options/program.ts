// Options of gateways that start the application themselves.
import { aCount, aText, type Checks, environment } from "./checks.ts";
import { ISOLATION_CHECKS, type IsolationOptions } from "./isolation.ts";

export interface ProgramOptions extends IsolationOptions {
  /** More environment variables. With CGI they replace meta-variables of the same name, and ours are not passed on. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Working directory. Default: ours; for CGI that of the program. */
  readonly chdir?: string | undefined;
  /** Processes at the same time. Default 1; for CGI, where each serves one request, 64. */
  readonly processes?: number | undefined;
}

export const PROGRAM_CHECKS: Checks<ProgramOptions> = {
  ...ISOLATION_CHECKS,
  env: environment,
  chdir: aText,
  processes: aCount,
};
