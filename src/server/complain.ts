// What a person reads when it went wrong: one message with its code, and below it the app's own traceback if there is one.
import type { SallyportError } from "../exchange/index.ts";
import { escapeControls } from "./escape.ts";

const REPORT = "this is a defect of Sallyport: please report it, with what --log-level debug shows";

/** Writes `sallyport: message [CODE]`. Our own stack is shown only with `debug`. */
export function complain(error: SallyportError, debug: boolean): void {
  process.stderr.write(complaint(error, debug));
}

/** 2 for what cannot be meant as it is written, 1 for every other failure. */
export const exitCodeOf = ({ code }: SallyportError): number => (code === "ERR_SALLYPORT_USAGE" ? 2 : 1);

export function complaint(error: SallyportError, debug: boolean): string {
  const internal = error.code === "ERR_SALLYPORT_INTERNAL";
  const hint = internal ? `; ${REPORT}` : "";
  const stack = debug && error.cause instanceof Error ? error.cause.stack : undefined;
  const more = [error.detail, stack].filter((text) => text !== undefined).map(indent);
  return `sallyport: ${escapeControls(error.message)}${hint} [${error.code}]\n${more.join("")}`;
}

const indent = (text: string): string =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => `  ${escapeControls(line)}\n`)
    .join("");
