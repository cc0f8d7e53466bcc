// The operator's log: one line for each event on standard error, as text for people or as JSON for collectors.
import type { SonicBoom } from "sonic-boom";
import { type Log, type LogFields, record } from "../exchange/index.ts";
import { escapeControls, escapeQuoted } from "../wire/escape.ts";
import type { LogTail } from "./tail.ts";

export const LEVELS = ["debug", "info", "warn", "error"] as const;
export type Level = (typeof LEVELS)[number];
export const FORMATS = ["text", "json"] as const;
export type Format = (typeof FORMATS)[number];

/** Where lines go. */
export type Sink = Pick<SonicBoom, "write">;

export interface LogOptions {
  level: Level;
  format: Format;
  sink: Sink;
  /** Keeps the last lines, where something reads them. */
  tail?: LogTail | undefined;
  /** For tests; the current time otherwise. */
  now?: () => Date;
}

type Line = (time: Date, level: Level, message: string, fields: LogFields) => string;

const LINES: Readonly<Record<Format, Line>> = { text: textLine, json: jsonLine };

/** A log that writes the levels from `level` upwards to `sink`. */
export function serverLog({ level, format, sink, tail, now = () => new Date() }: LogOptions): Log {
  const least = LEVELS.indexOf(level);
  const line = LINES[format];
  const write = (own: Level, message: string, fields: LogFields = {}): void => {
    const time = now();
    const text = line(time, own, message, fields);
    sink.write(text);
    tail?.add(time, own, text);
  };
  const at = (own: Level) => {
    if (LEVELS.indexOf(own) < least) return () => {};
    return (message: string, fields?: LogFields) => write(own, message, fields);
  };
  const levels = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  // The application has chosen what it logs. Only a level that is there to silence it holds for it, too.
  const fromApp = (own: Level) => (least <= LEVELS.indexOf("info") ? 0 : least) <= LEVELS.indexOf(own);
  return {
    ...levels,
    record: (own, message, fields) => {
      if (fromApp(own)) write(own, message, fields);
    },
  };
}

/** Its messages are those of `log`, and what an application says has its name. */
export const logOfApp = (log: Log, app: string): Log => ({
  ...passedOn(log),
  record: (level, message, fields) => record(log, level, message, { app, ...fields }),
});

/** For exchanges that an access log shows: the faults of clients are messages for debugging only. */
export const besideAccessLog = (log: Log): Log => ({
  ...passedOn(log),
  clientFault: (message, fields) => log.debug(message, fields),
});

/** By call: the methods of a log may be those of a class. */
const passedOn = (log: Log): Log => ({
  debug: (message, fields) => log.debug(message, fields),
  info: (message, fields) => log.info(message, fields),
  warn: (message, fields) => log.warn(message, fields),
  error: (message, fields) => log.error(message, fields),
  record: (level, message, fields = {}) => record(log, level, message, fields),
});

/** A line that bypasses the level and the queue of a sink: for the start, and for the way out. */
export const jsonNote = (level: Level, message: string, fields: LogFields = {}): string =>
  jsonLine(new Date(), level, message, fields);

/** `time LEVEL message key=value`, and below it, indented, the lines of `detail`. */
function textLine(time: Date, level: Level, message: string, fields: LogFields): string {
  let line = `${time.toISOString()} ${level.toUpperCase().padEnd(5)} ${escapeControls(message)}`;
  for (const [key, value] of Object.entries(fields)) {
    if (key !== "detail" && value !== undefined) line += ` ${textKey(key)}=${textValue(value)}`;
  }
  return `${line}\n${indented(fields.detail)}`;
}

/** Keys may be an application's. */
const textKey = (key: string): string => (/^[\w.@-]+$/.test(key) ? key : `"${escapeQuoted(key)}"`);

function textValue(value: unknown): string {
  if (value instanceof Error) return textValue(value.message);
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  return /^[\w.,:;/@%+*?&=~$!()[\]{}<>|^#-]+$/.test(text) ? text : `"${escapeQuoted(text)}"`;
}

function indented(detail: unknown): string {
  if (detail === undefined || detail === "") return "";
  const lines = String(detail).replace(/\n+$/, "").split(/\r?\n/);
  return lines.map((line) => `    ${escapeControls(line)}\n`).join("");
}

/** One object on a line. JSON escapes only the controls below space; we escape those above. */
function jsonLine(time: Date, level: Level, message: string, fields: LogFields): string {
  const json = JSON.stringify({ time: time.toISOString(), level, message, ...fields }, jsonValue);
  return `${json.replace(/[\x7f-\x9f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)}\n`;
}

const jsonValue = (_key: string, value: unknown): unknown => {
  if (value instanceof Error) return value.message;
  return typeof value === "bigint" ? String(value) : value;
};
