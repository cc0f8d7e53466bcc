// A log whose lines a test reads, or waits for.
import type { Log, LogFields } from "../../src/exchange/index.ts";

export interface Line {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields;
}

export interface KeptLog {
  readonly log: Log;
  readonly lines: Line[];
  /** Resolves with the first line, past or future, whose message matches. */
  logged(pattern: RegExp): Promise<Line>;
}

export function keepLog(): KeptLog {
  const lines: Line[] = [];
  const waiting: { readonly pattern: RegExp; resolve(line: Line): void }[] = [];
  const keep =
    (level: Line["level"]) =>
    (message: string, fields: LogFields = {}): void => {
      const line = { level, message, fields };
      lines.push(line);
      for (const { pattern, resolve } of waiting) if (pattern.test(message)) resolve(line);
    };
  const logged = (pattern: RegExp): Promise<Line> =>
    new Promise((resolve) => {
      const past = lines.find(({ message }) => pattern.test(message));
      if (past) resolve(past);
      else waiting.push({ pattern, resolve });
    });
  return {
    log: { debug: keep("debug"), info: keep("info"), warn: keep("warn"), error: keep("error") },
    lines,
    logged,
  };
}
