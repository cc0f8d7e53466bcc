// How many files this process may open. Connections are files, and what comes beyond the limit is closed by the system
// without a word to anybody.
import { readFileSync } from "node:fs";
import type { Log } from "../exchange/index.ts";

/** For the application's own files, workers, logs. */
const RESERVE = 64;

/** The limit of open files; undefined where the system does not tell. Node has raised it to the hard limit. */
export function openFilesLimit(read: (path: string) => string = readText): number | undefined {
  try {
    const limit = /^Max open files +(\d+)/m.exec(read("/proc/self/limits"))?.[1];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}

const readText = (path: string): string => readFileSync(path, "latin1");

/** Warns when so many connections cannot be had. */
export function warnOfDescriptors(log: Log, connections: number, limit = openFilesLimit()): void {
  if (limit === undefined || connections + RESERVE <= limit) return;
  log.warn(
    `this process may open ${limit} files, and up to ${connections} connections are allowed: those beyond are closed ` +
      "unheard; raise the limit (ulimit -n, LimitNOFILE=) or lower limits.connections",
  );
}
