// The default log of a mounted gateway: warnings and errors go to the host's console, the rest nowhere.
// Tested by test/mount/life.test.ts.
import { type Log, type LogFields, silentLog } from "../exchange/index.ts";

/** All controls but TAB and LF: a client or an application must not drive the terminal (CWE-117). */
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]/g;

export const consoleLog: Log = {
  ...silentLog,
  warn: (message, fields) => console.warn(lineOf(message, fields)),
  error: (message, fields) => console.error(lineOf(message, fields)),
};

function lineOf(message: string, { detail, ...fields }: LogFields = {}): string {
  const facts = Object.entries(fields).filter(([, value]) => value !== undefined);
  const text = [message, ...facts.map(([key, value]) => `${key}=${JSON.stringify(value)}`)].join(" ");
  const line = `sallyport: ${text.replaceAll("\n", " ")}`;
  return (detail ? `${line}\n${detail}` : line).replace(CONTROLS, escaped);
}

const escaped = (control: string): string => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`;
