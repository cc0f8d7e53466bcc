// The limit of open files. Connections count as files, and near the limit no more are accepted.
import { readFileSync } from "node:fs";
import type { Log } from "../exchange/index.ts";
import { RESERVE } from "../sockets/descriptors.ts";

/** The limit of open files; undefined where the system does not show it. Node has raised it to the hard limit. */
export function openFilesLimit(read: (path: string) => string = readText): number | undefined {
  try {
    const limit = /^Max open files +(\d+)/m.exec(read("/proc/self/limits"))?.[1];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}

const readText = (path: string): string => readFileSync(path, "latin1");

/** Warns when the limit is too low for `connections`. */
export function warnOfDescriptors(log: Log, connections: number, limit = openFilesLimit()): void {
  if (limit === undefined || connections + RESERVE <= limit) return;
  log.warn(
    `this process may open ${limit} files, and up to ${connections} connections are allowed: those beyond are refused; ` +
      "raise the limit (ulimit -n, LimitNOFILE=) or lower limits.connections",
  );
}
