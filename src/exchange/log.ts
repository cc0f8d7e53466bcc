// What a half says to its operator. The server supplies a real one; a library user may pass anything of this shape.

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

const nothing = (): void => {};

/** Keeps everything to itself. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
