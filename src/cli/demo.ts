// `sallyport demo`: serves the demonstration until a signal ends it.
// Tested by test/demo/demonstration.test.ts.

import { demonstration } from "../demo/demonstration.ts";
import type { Door } from "../demo/door.ts";
import { runProgram, type ServerProgram } from "../server/program.ts";
import { TEXT } from "../server/report.ts";
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
    const program: ServerProgram = runProgram(demo.server, { ...log, level: "warn" });
    const [url] = await program.started;
    if (url !== undefined) process.stderr.write(welcome(url, demo.doors));
    return await program.ended;
  } finally {
    await demo.close();
  }
}

const styleOf = (flags: Flags) =>
  ({ level: flags["log-level"] ?? "warn", format: flags["log-format"] ?? TEXT.format }) as const;

function welcome(url: string, doors: readonly Door[]): string {
  const closed = doors.filter(({ available }) => !available);
  const lines = [
    `See what passes: open ${url}/ in a browser. Ctrl-C ends the demonstration.`,
    ...closed.map(({ name, why }) => `${name} is not shown: ${why}`),
  ];
  return `${lines.map(escapeControls).join("\n")}\n`;
}
