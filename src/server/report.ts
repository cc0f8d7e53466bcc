// Messages at the start and the end, independent of the log's level: where the server listens, and for a failure its
// message with the code, and below it the app's own traceback if there is one. Where the log is JSON, these lines are JSON
// too: its collector reads all of standard error.
import { SallyportError } from "../exchange/index.ts";
import { jsonNote, type LogOptions } from "../logs/log.ts";
import { escapeControls } from "../wire/escape.ts";
import { type AppSummary, summaryText } from "./summary.ts";

/** How the log is written. */
export type ReportStyle = Pick<LogOptions, "level" | "format">;

export const TEXT: ReportStyle = { level: "info", format: "text" };

const REPORT = "this is a defect of Sallyport: please report it, with what --log-level debug shows";
/** What the system has too little of is no defect of ours, by the code of its error. */
const SHORTAGES: Readonly<Record<string, string>> = {
  EMFILE: "raise the number of files that this process may open (ulimit -n, LimitNOFILE=)",
  ENFILE: "the whole system has too many files open (fs.file-max)",
  ENOSPC: "make room on that file system",
  EDQUOT: "make room within the quota of this user",
  ENOMEM: "the system has no memory left for it",
  EROFS: "that file system can only be read: name a place that can be written",
};
const CUT = "stopped at once by a second signal; requests under way were cut";

let mayBeUnread = false;

/** Writes to standard error. Its reader may have gone (`sallyport serve ... | tee`, and Ctrl-C): that must end nothing. */
export function say(text: string): void {
  if (!mayBeUnread) process.stderr.on("error", () => {});
  mayBeUnread = true;
  process.stderr.write(text);
}

/** Writes `sallyport: message [CODE]`. Our own stack is shown only at the level `debug`. */
export function reportError(error: SallyportError, style: ReportStyle): void {
  say(errorReport(error, style));
}

/** Writes why a program ends, and gives its exit code: 2 for a wrong command line, 1 for every other failure. */
export function reportFailure(reason: unknown, style: ReportStyle): number {
  const error = SallyportError.from(reason);
  reportError(error, style);
  return error.code === "ERR_SALLYPORT_USAGE" ? 2 : 1;
}

/** Writes what is served, unless the level silences it, and `listening on URL` for each. */
export function announce(
  apps: readonly AppSummary[],
  urls: readonly string[],
  { level, format }: ReportStyle,
): void {
  const isShown = level === "info" || level === "debug";
  const served = isShown
    ? apps.map((app) => servedLine(app, apps.length === 1 ? urls : undefined, format))
    : [];
  const listening = urls.map((url) => {
    const text = `listening on ${url}`;
    return format === "json" ? jsonNote("info", text, { url }) : `${text}\n`;
  });
  // At once, so that a program that reads the first has all of them.
  say([...served, ...listening].join(""));
}

/** `urls`: of the only app; those of several apps follow below. */
function servedLine(
  app: AppSummary,
  urls: readonly string[] | undefined,
  format: ReportStyle["format"],
): string {
  const text = `${summaryText(app, urls !== undefined)}${urls ? ` · ${urls.join(", ")}` : ""}`;
  return format === "json" ? jsonNote("info", `serving ${text}`, { ...app }) : `${text}\n`;
}

/** Says that a second signal has ended the server. */
export function announceCut({ format }: ReportStyle): void {
  say(format === "json" ? jsonNote("warn", CUT) : `sallyport: ${CUT}\n`);
}

export function errorReport(error: SallyportError, { level, format }: ReportStyle): string {
  const internal = error.code === "ERR_SALLYPORT_INTERNAL";
  const message = `${error.message}${internal ? `; ${adviceFor(error)}` : ""}`;
  const stack = level === "debug" && error.cause instanceof Error ? error.cause.stack : undefined;
  const more = [error.detail, stack].filter((text) => text !== undefined);
  if (format === "json")
    return jsonNote("error", message, { code: error.code, detail: more.join("\n") || undefined });
  return `sallyport: ${escapeControls(message)} [${error.code}]\n${more.map(indent).join("")}`;
}

const indent = (text: string): string =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => `  ${escapeControls(line)}\n`)
    .join("");

const adviceFor = ({ cause }: SallyportError): string =>
  SHORTAGES[(cause as NodeJS.ErrnoException | undefined)?.code ?? ""] ?? REPORT;
