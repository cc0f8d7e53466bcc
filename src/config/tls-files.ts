// The files that a section `tls` names, read before anything starts, so that their faults are reported like all other
// errors of a configuration.
// Tested by test/config/file.test.ts.
import { resolve } from "node:path";
import type { CertificateFiles, Problem, SecureContexts, TlsSettings } from "../sockets/tls/index.ts";
import type { ListenAddress } from "./address.ts";
import { configError, errorLine, type Origin } from "./error-lines.ts";

/** The same with absolute paths. */
export function located(settings: TlsSettings, directory: string): TlsSettings {
  const { others, ca } = settings;
  const pair = <F extends CertificateFiles>(files: F): F => ({
    ...files,
    cert: resolve(directory, files.cert),
    key: resolve(directory, files.key),
  });
  return {
    ...pair(settings),
    ...(others ? { others: others.map(pair) } : {}),
    ...(ca === undefined ? {} : { ca: resolve(directory, ca) }),
  };
}

/** Reads the files of `settings`, whose paths are absolute. Rejects with CONFIG_INVALID; `describe` makes a line of a problem. */
export async function readFiles(
  settings: TlsSettings,
  describe: (problem: Problem) => string,
): Promise<SecureContexts> {
  const { readSecureContexts } = await import("../sockets/tls/index.ts");
  const read = await readSecureContexts(settings);
  if ("problems" in read) throw configError(read.problems.map(describe));
  return read.contexts;
}

/** `file:line: listen[0].tls.key: what is wrong`. */
export const atAddress =
  (index: number, origin: Origin) =>
  ({ path, message }: Problem): string =>
    errorLine(origin, ["listen", index, "tls", ...path], message);

/** A line for each faulty file, of all addresses. */
export async function tlsFileErrors(
  listen: readonly ListenAddress[],
  directory: string,
  origin: Origin,
): Promise<string[]> {
  const { readSecureContexts } = await import("../sockets/tls/index.ts");
  const lines: string[] = [];
  for (const [i, { tls }] of listen.entries()) {
    const read = tls && (await readSecureContexts(located(tls, directory)));
    if (read && "problems" in read) lines.push(...read.problems.map(atAddress(i, origin)));
  }
  return lines;
}
