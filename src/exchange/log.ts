// Messages for the operator. The server supplies a logger; a library user may pass any object of this shape.
// Tested by test/logs/log.test.ts.

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

const nothing = (): void => {};

/** Discards all messages. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
