// What code in this process says by `console`, and Node's own warnings, as records of the log: modules that answer requests
// print as applications in processes of their own do.
// Tested by test/server/json-lines.test.ts.
import { formatWithOptions } from "node:util";
import { type Log, record } from "../exchange/index.ts";

type Level = "debug" | "info" | "warn" | "error";

const METHODS: Readonly<Record<"debug" | "log" | "info" | "warn" | "error", Level>> = {
  debug: "debug",
  log: "info",
  info: "info",
  warn: "warn",
  error: "error",
};

/** For the program that has this process for itself; never in a library. */
export function logConsole(log: Log): void {
  for (const [method, level] of Object.entries(METHODS))
    console[method as keyof typeof METHODS] = (...said: unknown[]) => say(log, level, said);
  // Node's own listener prints two lines.
  process.removeAllListeners("warning");
  process.on("warning", ({ name, message }) => log.warn(`${name}: ${message}`, { pid: process.pid }));
}

/** Further lines are the detail. */
function say(log: Log, level: Level, said: readonly unknown[]): void {
  const [message = "", ...more] = formatWithOptions({ colors: false }, ...said).split("\n");
  const detail = more.length > 0 ? more.join("\n") : undefined;
  record(log, level, message, { pid: process.pid, detail });
}
