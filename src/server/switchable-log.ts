// A log whose level and format a reload may change. What has been given the log keeps it.
// Tested by test/cli/reload.test.ts.
import type { Settings } from "../config/config.ts";
import type { Log } from "../exchange/index.ts";
import { type LogOptions, serverLog } from "../logs/log.ts";
import { descriptorSink, type LineSink } from "../logs/sinks.ts";
import type { LogTail } from "../logs/tail.ts";

export class SwitchableLog implements Log {
  readonly #kept: Pick<LogOptions, "sink" | "tail">;
  #log: Log;

  constructor(options: LogOptions) {
    this.#kept = { sink: options.sink, tail: options.tail };
    this.#log = serverLog(options);
  }

  /** Level and format from now on. */
  use(options: Omit<LogOptions, "sink" | "tail">): void {
    this.#log = serverLog({ ...options, ...this.#kept });
  }

  readonly debug: Log["debug"] = (message, fields) => this.#log.debug(message, fields);
  readonly info: Log["info"] = (message, fields) => this.#log.info(message, fields);
  readonly warn: Log["warn"] = (message, fields) => this.#log.warn(message, fields);
  readonly error: Log["error"] = (message, fields) => this.#log.error(message, fields);
  readonly record: NonNullable<Log["record"]> = (level, message, fields) =>
    this.#log.record?.(level, message, fields);
}

/** The log that the configuration describes. */
export interface OwnLog {
  readonly log: SwitchableLog;
  readonly sink: LineSink;
}

export function ownLogOf({ log }: Settings, tail: LogTail | undefined): OwnLog {
  const sink = descriptorSink(2);
  return { log: new SwitchableLog({ ...log, sink, tail }), sink };
}
