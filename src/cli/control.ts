// `sallyport status`, `reload`, `stop`, `restart`, `scale`, `stacks`: ask a running server over its control socket.
// Tested by test/control/commands.test.ts.
import { resolve } from "node:path";
import { askServer } from "../control/client.ts";
import type { ServerStatus } from "../control/operations.ts";
import { controlDirectory, livingSockets } from "../control/places.ts";
import { stacksText } from "../control/stacks.ts";
import { statusText } from "../control/table.ts";
import { type ProcessBounds, type ProcessStacks, SallyportError } from "../exchange/index.ts";
import { type CommandLine, usage } from "./command-line.ts";
import { variableOf } from "./variables.ts";

type Flags = CommandLine["flags"];

export async function statusCommand({ flags, words }: CommandLine): Promise<number> {
  noMore("status", words);
  const status = (await askServer(await socketOf(flags), { method: "GET", path: "/status" })) as ServerStatus;
  process.stdout.write(flags.json ? `${JSON.stringify(status, undefined, 2)}\n` : statusText(status));
  return 0;
}

export async function reloadCommand({ flags, words }: CommandLine): Promise<number> {
  noMore("reload", words);
  await askServer(await socketOf(flags), { method: "POST", path: "/reload" });
  return done("reloaded");
}

/** The answer ends with the server. */
export async function stopCommand({ flags, words }: CommandLine): Promise<number> {
  noMore("stop", words);
  await askServer(await socketOf(flags), { method: "POST", path: "/stop" });
  return done("stopped");
}

export async function restartCommand({ flags, words: [app, ...rest] }: CommandLine): Promise<number> {
  if (app === undefined) throw usage("which app? sallyport restart APP");
  noMore("restart APP", rest);
  await askServer(await socketOf(flags), { method: "POST", path: pathOf(app, "restart") });
  return done(`app ${app} was restarted`);
}

export async function scaleCommand({ flags, words: [app, count, ...rest] }: CommandLine): Promise<number> {
  if (app === undefined || count === undefined)
    throw usage("how many? sallyport scale APP N, or APP MIN:MAX");
  noMore("scale APP N", rest);
  const body = boundsIn(count);
  await askServer(await socketOf(flags), { method: "POST", path: pathOf(app, "scale"), body });
  return done(`app ${app} has ${boundsText(body)} now, in each server process`);
}

/** Where its requests are in its Python code. */
export async function stacksCommand({ flags, words: [app, ...rest] }: CommandLine): Promise<number> {
  if (app === undefined) throw usage("which app? sallyport stacks APP");
  noMore("stacks APP", rest);
  const asked = { method: "GET", path: pathOf(app, "stacks") } as const;
  const stacks = (await askServer(await socketOf(flags), asked)) as ProcessStacks[];
  process.stdout.write(flags.json ? `${JSON.stringify(stacks, undefined, 2)}\n` : stacksText(app, stacks));
  return 0;
}

const pathOf = (app: string, verb: string): string => `/apps/${encodeURIComponent(app)}/${verb}`;

function noMore(command: string, words: readonly string[]): void {
  if (words.length > 0) throw usage(`sallyport ${command} takes no ${JSON.stringify(words[0])}`);
}

function done(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

/** `4`, `1:8`. Throws USAGE. */
function boundsIn(text: string): ProcessBounds {
  const [, low, high] = /^(\d{1,6})(?::(\d{1,6}))?$/.exec(text) ?? [];
  const bounds = { min: Number(low), max: Number(high ?? low) };
  if (low === undefined || bounds.max < Math.max(1, bounds.min))
    throw usage(`${JSON.stringify(text)} is no number of processes: N from 1, or MIN:MAX, such as 4 or 1:8`);
  return bounds;
}

const boundsText = ({ min, max }: ProcessBounds): string =>
  min === max ? `${max} process${max === 1 ? "" : "es"}` : `${min} to ${max} processes`;

/** The path of --control or of its variable, or the only server that this user runs. Throws CONTROL_UNREACHABLE. */
async function socketOf(flags: Flags): Promise<string> {
  const control = flags.control ?? (process.env[variableOf("control")] || undefined);
  if (control === "off") throw usage("--control off is for sallyport serve; name the path of a socket");
  if (control !== undefined) return resolve(control);
  const [first, ...others] = await livingSockets();
  if (first === undefined) throw none();
  if (others.length > 0) throw await several([first, ...others]);
  return first;
}

const none = (): SallyportError =>
  new SallyportError(
    "CONTROL_UNREACHABLE",
    `this user runs no server (there is none in ${controlDirectory()}); for another one, name its socket: --control PATH`,
  );

async function several(paths: readonly string[]): Promise<SallyportError> {
  const lines = await Promise.all(paths.map(async (path) => `--control ${path}  ${await servedAt(path)}`));
  return new SallyportError("CONTROL_UNREACHABLE", `${paths.length} servers are running; say which:`, {
    detail: lines.join("\n"),
  });
}

async function servedAt(path: string): Promise<string> {
  try {
    const { urls } = (await askServer(path, { method: "GET", path: "/status" })) as ServerStatus;
    return urls.join(", ");
  } catch {
    return "does not answer";
  }
}
