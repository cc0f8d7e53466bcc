// A log whose level and format a reload may change. What has been given the log keeps it.
// Tested by test/cli/reload.test.ts.
import type { Settings } from "../config/config.ts";
import type { Log } from "../exchange/index.ts";
import { type LogOptions, serverLog } from "../logs/log.ts";
import { descriptorSink, type LineSink } from "../logs/sinks.ts";

export class SwitchableLog implements Log {
  readonly #sink: LogOptions["sink"];
  #log: Log;

  constructor(options: LogOptions) {
    this.#sink = options.sink;
    this.#log = serverLog(options);
  }

  /** Level and format from now on. */
  use(options: Omit<LogOptions, "sink">): void {
    this.#log = serverLog({ ...options, sink: this.#sink });
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

export function ownLogOf({ log }: Settings): OwnLog {
  const sink = descriptorSink(2);
  return { log: new SwitchableLog({ ...log, sink }), sink };
}
