// Options by environment variables: SALLYPORT_HTTP for --http, and so on for every option of the table. An option of the
// command line goes before a variable, and a variable before the configuration.
import { suggestion } from "../options/did-you-mean.ts";
import { usage } from "./command-line.ts";
import { type Flags, OPTIONS, type Option, type OptionName, type TargetKind } from "./options.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = "SALLYPORT_";
const NO_VARIABLE: readonly string[] = ["help", "version"];
/** GivenByVariables that are no options: of development, of tests, and between our own processes. */
const OTHERS = ["SALLYPORT_DEV", "SALLYPORT_LINT", "SALLYPORT_ADMIN_TOKEN", "SALLYPORT_FROM_ENV_FILE"];

const TABLE: Readonly<Record<string, Option>> = OPTIONS;

/** `server-processes`: SALLYPORT_SERVER_PROCESSES. */
export const variableOf = (option: string): string => PREFIX + option.toUpperCase().replaceAll("-", "_");

const OPTION_OF: ReadonlyMap<string, OptionName> = new Map(
  (Object.keys(OPTIONS) as OptionName[])
    .filter((name) => !NO_VARIABLE.includes(name))
    .map((name) => [variableOf(name), name]),
);

export interface GivenByVariables {
  readonly flags: Flags;
  /** For the log, a line each: variables that mean nothing. */
  readonly warnings: readonly string[];
}

/** The options that variables give. Throws USAGE that names the variable for a value that is not one. */
export function variablesIn(env: Environment): GivenByVariables {
  const flags: Record<string, unknown> = {};
  const warnings: string[] = [];
  for (const [variable, text] of Object.entries(env)) {
    if (text === undefined || !variable.startsWith(PREFIX) || OTHERS.includes(variable)) continue;
    const name = OPTION_OF.get(variable);
    if (name === undefined) warnings.push(unknownText(variable));
    else if (text !== "") Object.assign(flags, optionValue(variable, name, text));
  }
  return { flags: flags as Flags, warnings };
}

function unknownText(variable: string): string {
  return `the environment variable ${variable} means nothing to this server${suggestion(variable, [...OPTION_OF.keys()])}`;
}

function optionValue(variable: string, name: OptionName, text: string): Record<string, unknown> {
  const option = TABLE[name] as Option;
  if (!option.value) return switchOf(variable, name, text);
  const read = (one: string): unknown => {
    const value = option.read(one);
    if (value === undefined)
      throw usage(`${variable} must be ${option.expected}, not ${JSON.stringify(one)}`);
    return value;
  };
  return { [name]: option.many ? parts(text).map(read) : read(text) };
}

/** Several values, where an option may be repeated. */
const parts = (text: string): string[] =>
  text
    .split(/[,\n]/)
    .map((part) => part.trim())
    .filter(Boolean);

const SWITCH: Readonly<Record<string, boolean>> = {
  "1": true,
  true: true,
  yes: true,
  on: true,
  "0": false,
  false: false,
  no: false,
  off: false,
};

function switchOf(variable: string, name: string, text: string): Record<string, unknown> {
  const on = SWITCH[text.toLowerCase()];
  if (on === undefined) throw usage(`${variable} must be 1 or 0, not ${JSON.stringify(text)}`);
  return on ? { [name]: true } : {};
}

/** Places other than HOST and PORT: an address of the command line takes the place of them all. */
const PLACES: readonly string[] = ["unix", "fd", "http", "fastcgi", "scgi", "uwsgi"];

/**
 * The options of the command line, and those of `variables` that it does not give and that suit the target: a variable may
 * be there for all apps of a machine.
 */
export function withVariables(
  flags: Flags,
  { flags: given, warnings }: GivenByVariables,
  kind: TargetKind,
): GivenByVariables {
  const named = [...PLACES, "host", "port"].some((name) => name in flags);
  const more = { ...given } as Record<string, unknown>;
  const useless: string[] = [];
  for (const name of Object.keys(more)) {
    const { targets } = TABLE[name] as Option;
    const suits = targets?.includes(kind) ?? true;
    if (!suits && name !== "config")
      useless.push(`${variableOf(name)} is not used: it is not for this kind of target`);
    if (!suits || (named && PLACES.includes(name))) delete more[name];
  }
  return { flags: { ...more, ...flags }, warnings: [...warnings, ...useless] };
}
