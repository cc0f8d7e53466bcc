// What a process of an application prints and logs, as records of our log: each has the level that it had there, and is one
// record, however many lines it has.
import { type Log, type LogFields, record } from "../exchange/index.ts";
import { escapeBytes } from "./lines.ts";
import { BlockJoiner, type PrintedLevel } from "./tracebacks.ts";

/** Standard output is for what is said, standard error for what is wrong; neither line says more of itself. */
const LEVELS_OF: Readonly<Record<number, PrintedLevel>> = { 1: "info", 2: "warn" };

const NAMED: readonly [RegExp, PrintedLevel][] = [
  [/^(?:debug|trace|verbose)$/, "debug"],
  [/^(?:info|information|notice|success)$/, "info"],
  [/^warn(?:ing)?$/, "warn"],
  [/^(?:err|error|exception|critical|crit|fatal|alert|emerg|emergency|panic)$/, "error"],
];
const PHP: readonly [RegExp, PrintedLevel][] = [
  [/^(?:PHP message: )?PHP (?:Notice|Deprecated|Strict Standards): /, "info"],
  [/^(?:PHP message: )?PHP (?:\w+ )*[Ww]arning: /, "warn"],
  [/^(?:PHP message: )?PHP (?:\w+ )*error: /, "error"],
];

/** Names that other programs give to the parts of a record (structlog, python-json-logger, pino, bunyan, ECS). */
const MESSAGE = ["message", "msg", "event"];
const LEVEL = ["level", "levelname", "severity", "log_level", "log.level"];
const DETAIL = ["exc_info", "exception", "traceback", "stack_trace", "stack", "stack_info"];
/** Parts of every record of ours: what has such a name elsewhere gets another one. */
const OURS = new Set(["time", "level", "message", "detail", "app", "pid", "logger", "program", "target"]);

/** As python/sallyport/logs.py sends it. */
interface Sent {
  readonly level: number;
  readonly pid: number;
  readonly text: string;
  readonly logger?: string;
  readonly detail?: string;
}

export class ApplicationOutput {
  readonly #log: Log;
  readonly #fields: () => LogFields;
  readonly #joiners = new Map<number, BlockJoiner>();

  /** `fields` say whose output it is, once there is some. */
  constructor(log: Log, fields: () => LogFields) {
    this.#log = log;
    this.#fields = fields;
  }

  /** A line of standard output (1) or standard error (2), its controls escaped. */
  line(line: string, descriptor: number): void {
    this.#joinerOf(descriptor).add(line);
  }

  /** A record as JSON; anything else is a line on standard error. */
  record(json: string, descriptor: number): void {
    const sent = sentRecord(json);
    if (!sent) return this.line(escapeBytes(json.slice(0, 8192)), 2);
    this.#joinerOf(descriptor).end();
    const { level, pid, text, logger, detail } = sent;
    const fields = { ...this.#fields(), pid, logger };
    const message = escapeBytes(text);
    this.#message(levelOfNumber(level), message, fields, detail && escapedLines(detail), true);
  }

  /** Nothing more comes, or nothing that belongs to what came before. */
  end(): void {
    for (const joiner of this.#joiners.values()) joiner.end();
  }

  #joinerOf(descriptor: number): BlockJoiner {
    const present = this.#joiners.get(descriptor);
    if (present) return present;
    const joiner = new BlockJoiner(
      (line) => this.#plain(line, descriptor),
      ({ title, lines, level }) =>
        record(this.#log, level, title, { ...this.#fields(), detail: lines.join("\n") }),
    );
    this.#joiners.set(descriptor, joiner);
    return joiner;
  }

  #plain(line: string, descriptor: number): void {
    const level = PHP.find(([pattern]) => pattern.test(line))?.[1] ?? LEVELS_OF[descriptor] ?? "info";
    this.#message(level, line, this.#fields(), undefined, false);
  }

  /** A line that is an object of JSON is taken apart. `final`: the level is known better. */
  #message(
    level: PrintedLevel,
    message: string,
    fields: LogFields,
    detail: string | undefined,
    final: boolean,
  ): void {
    const read = message.startsWith("{") && message.endsWith("}") ? structured(message) : undefined;
    if (!read) return record(this.#log, level, message, { ...fields, detail });
    const own = final ? level : (read.level ?? level);
    record(this.#log, own, read.message, { ...fields, ...read.fields, detail: detail ?? read.detail });
  }
}

function sentRecord(json: string): Sent | undefined {
  const { level, pid, text, logger, detail } = (objectOf(json) ?? {}) as Partial<Sent>;
  if (typeof level !== "number" || typeof pid !== "number" || typeof text !== "string") return undefined;
  return { level, pid, text, ...textsOf({ logger, detail }) };
}

const textsOf = (values: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).filter((each): each is [string, string] => typeof each[1] === "string"),
  );

function objectOf(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Levels of Python's `logging`, those in between included. */
function levelOfNumber(level: number): PrintedLevel {
  if (level >= 40) return "error";
  if (level >= 30) return "warn";
  return level >= 20 ? "info" : "debug";
}

interface Structured {
  readonly message: string;
  readonly level: PrintedLevel | undefined;
  readonly detail: string | undefined;
  readonly fields: LogFields;
}

/** A record that an application has written as an object of JSON; undefined if it has no message. */
function structured(line: string): Structured | undefined {
  const value = objectOf(line);
  const messageAt = value && keyOf(value, MESSAGE, (text) => text !== "");
  if (!value || messageAt === undefined) return undefined;
  const levelAt = keyOf(value, LEVEL, (text) => levelOfName(text) !== undefined);
  const detailAt = keyOf(value, DETAIL, (text) => text.includes("\n"));
  const used = [messageAt, levelAt, detailAt];
  const rest = Object.entries(value).filter(([key]) => !used.includes(key));
  return {
    message: escapeBytes(value[messageAt] as string),
    level: levelAt === undefined ? undefined : levelOfName(value[levelAt] as string),
    detail: detailAt === undefined ? undefined : escapedLines(value[detailAt] as string),
    fields: Object.fromEntries(rest.map(([key, each]) => [OURS.has(key) ? `app.${key}` : key, each])),
  };
}

const keyOf = (
  value: Record<string, unknown>,
  names: readonly string[],
  fits: (text: string) => boolean,
): string | undefined => names.find((name) => typeof value[name] === "string" && fits(value[name] as string));

const levelOfName = (name: string): PrintedLevel | undefined =>
  NAMED.find(([pattern]) => pattern.test(name.toLowerCase()))?.[1];

const escapedLines = (text: string): string => text.split(/\r?\n/).map(escapeBytes).join("\n");
