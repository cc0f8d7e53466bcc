// `sallyport demo`: serves the demonstration until a signal ends it.
// Tested by test/demo/demonstration.test.ts.

import { hostOf } from "../admin/guard.ts";
import { isLoopback } from "../admin/settings.ts";
import { type Demonstration, demonstration } from "../demo/demonstration.ts";
import type { Door } from "../demo/door.ts";
import { jsonNote } from "../logs/log.ts";
import { runProgram } from "../server/program.ts";
import { type ReportStyle, TEXT } from "../server/report.ts";
import { escapeControls } from "../wire/escape.ts";
import { type CommandLine, usage } from "./command-line.ts";
import type { Flags } from "./options.ts";

const HOST = "127.0.0.1";
const PORT = 8000;

/** Gives the exit code. Throws a SallyportError when it cannot start. */
export async function demoCommand({ flags, words }: CommandLine): Promise<number> {
  if (words.length > 0) throw usage(`the demonstration has its own applications, and takes no ${words[0]}`);
  const log = styleOf(flags);
  const demo = await demonstration({ host: flags.host ?? HOST, port: flags.port ?? PORT, log });
  try {
    // What is served is on the pages: the level keeps it out of the terminal.
    const program = runProgram(demo.server, { ...log, level: "warn" });
    const urls = await program.started;
    for (const url of urls) welcome(url, demo, log);
    return await program.ended;
  } finally {
    await demo.close();
  }
}

const styleOf = (flags: Flags): ReportStyle => ({
  level: flags["log-level"] ?? "warn",
  format: flags["log-format"] ?? TEXT.format,
});

/** Says where to go, and what is not there. */
function welcome(listening: string, { url, doors }: Demonstration, { format }: ReportStyle): void {
  const lines = [
    `See what passes: open ${url}/ in a browser. Ctrl-C ends the demonstration.`,
    ...(isLoopback(hostOf(new URL(listening).host)) ? [] : [FOR_ALL]),
    ...closedLines(doors),
  ];
  const written = lines.map((line) =>
    format === "json" ? jsonNote("info", line) : `${escapeControls(line)}\n`,
  );
  process.stderr.write(written.join(""));
}

const FOR_ALL =
  "Everybody who can reach this machine can use it, and read the requests that others make to it.";

/** A line for each reason. */
function closedLines(doors: readonly Door[]): string[] {
  const byReason = new Map<string, string[]>();
  for (const { name, why } of doors)
    if (why !== undefined) byReason.set(why, [...(byReason.get(why) ?? []), name]);
  return [...byReason].map(([why, names]) => `Not shown: ${names.join(", ")}. ${why}`);
}
