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
  /** Resolves with the first line, past or future, that matches: by its message, or by `textOf`. */
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
      for (const { pattern, resolve } of waiting) if (matches(pattern, line)) resolve(line);
    };
  const logged = (pattern: RegExp): Promise<Line> =>
    new Promise((resolve) => {
      const past = lines.find((line) => matches(pattern, line));
      if (past) resolve(past);
      else waiting.push({ pattern, resolve });
    });
  return {
    log: { debug: keep("debug"), info: keep("info"), warn: keep("warn"), error: keep("error") },
    lines,
    logged,
  };
}

/** The message, and the fields as JSON. */
export const textOf = ({ message, fields }: Line): string => `${message} ${JSON.stringify(fields)}`;

const matches = (pattern: RegExp, line: Line): boolean =>
  pattern.test(line.message) || pattern.test(textOf(line));
