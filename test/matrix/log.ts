// What the halves of the matrix say: nothing, unless SALLYPORT_MATRIX_LOG asks for it.
import { type Log, type LogFields, silentLog } from "../../src/exchange/index.ts";

const say =
  (level: string) =>
  (message: string, fields: LogFields = {}): void =>
    console.error(level, message, JSON.stringify(fields));

export const matrixLog: Log = process.env.SALLYPORT_MATRIX_LOG
  ? { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") }
  : silentLog;
