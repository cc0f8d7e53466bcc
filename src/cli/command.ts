// What the command `sallyport` does, by the first word of its line.
// Tested by test/cli/serve.test.ts.
import { readFileSync } from "node:fs";
import type { ServerProcessTask } from "../cluster/messages.ts";
import { nearest } from "../options/did-you-mean.ts";
import { type ReportStyle, reportFailure, TEXT } from "../server/report.ts";
import { type CommandLine, parseCommandLine, usage } from "./command-line.ts";
import { helpText } from "./help.ts";
import {
  type CommandName,
  type ControlCommand,
  type Flags,
  OPTIONS,
  type Option,
  type OptionName,
  SERVING,
} from "./options.ts";
import { serveCommand } from "./serve.ts";

type Command = (line: CommandLine, task?: ServerProcessTask) => Promise<number> | number;

/** Loaded when it is asked for: a server has no use for it. */
const control =
  (name: ControlCommand): Command =>
  async (line) =>
    (await import("./control.ts"))[`${name}Command`](line);

const COMMANDS: Readonly<Record<CommandName, Command>> = {
  serve: serveCommand,
  dev,
  status: control("status"),
  reload: control("reload"),
  stop: control("stop"),
  restart: control("restart"),
  scale: control("scale"),
  stacks: control("stacks"),
  check,
  explain,
  demo,
  help,
  version,
};

const isCommand = (name: string): name is CommandName => Object.hasOwn(COMMANDS, name);

/** `serve`, for somebody who works on the application. */
function dev(line: CommandLine): Promise<number> {
  return serveCommand({ ...line, flags: { ...line.flags, reload: true } });
}

async function check(line: CommandLine): Promise<number> {
  const { checkCommand } = await import("./check.ts");
  return checkCommand(line);
}

async function explain(line: CommandLine): Promise<number> {
  const { explainCommand } = await import("./explain.ts");
  return explainCommand(line);
}

async function demo(line: CommandLine): Promise<number> {
  const { demoCommand } = await import("./demo.ts");
  return demoCommand(line);
}

function help(): number {
  process.stdout.write(helpText());
  return 0;
}

function version(): number {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  process.stdout.write(`sallyport ${(JSON.parse(text) as { version: string }).version}\n`);
  return 0;
}

/** Runs a command line and gives the exit code. Every failure becomes one message on standard error. */
export async function runCommand(args: readonly string[], task?: ServerProcessTask): Promise<number> {
  try {
    return await run(args, task);
  } catch (reason) {
    return reportFailure(reason, styleOf(args));
  }
}

/** For errors that come before the options have been read. */
function styleOf(args: readonly string[]): ReportStyle {
  const line = ` ${args.join(" ").replaceAll("=", " ")} `;
  return {
    level: line.includes(" --log-level debug ") ? "debug" : TEXT.level,
    format: line.includes(" --log-format json ") ? "json" : TEXT.format,
  };
}

async function run(args: readonly string[], task: ServerProcessTask | undefined): Promise<number> {
  const line = parseCommandLine(args);
  if (line.flags.help) return help();
  if (line.flags.version) return version();
  const [name, ...words] = line.words;
  if (name === undefined) throw usage("no command; try sallyport serve TARGET, or sallyport --help");
  if (!isCommand(name)) throw usage(unknownCommand(name));
  checkFlags(name, line.flags);
  return COMMANDS[name]({ ...line, words }, task);
}

/** Throws USAGE for an option of another command. */
function checkFlags(name: CommandName, flags: Flags): void {
  for (const flag of Object.keys(flags) as OptionName[]) {
    const { commands = SERVING }: Option = OPTIONS[flag];
    if (!commands.includes(name))
      throw usage(`--${flag} is for sallyport ${commands.join(", ")}, not for sallyport ${name}`);
  }
}

function unknownCommand(name: string): string {
  const meant = nearest(name, Object.keys(COMMANDS)) ?? `serve ${name}`;
  return `unknown command ${name}; did you mean sallyport ${meant}?`;
}
