// Messages for the operator. The server supplies a logger; a library user may pass any object of this shape.
// Tested by test/logs/log.test.ts.

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /**
   * What an application has logged or printed itself, at its own level; absent where that is no different from a message
   * of ours. Called by `record`.
   */
  record?(level: "debug" | "info" | "warn" | "error", message: string, fields?: LogFields): void;
  /** A fault of a client in a request that the access log shows anyway; absent where no access log does. */
  clientFault?(message: string, fields?: LogFields): void;
}

/** Logs what an application has said. */
export function record(
  log: Log,
  level: "debug" | "info" | "warn" | "error",
  message: string,
  fields: LogFields,
): void {
  if (log.record) log.record(level, message, fields);
  else log[level](message, fields);
}

const nothing = (): void => {};

/** Discards all messages. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
