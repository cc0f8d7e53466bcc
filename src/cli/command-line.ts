// Reads a command line by the table of options.
// Tested by test/cli/options.test.ts.

import { parseArgs } from "node:util";
import { SallyportError } from "../exchange/index.ts";
import { suggestion } from "../options/did-you-mean.ts";
import { dashed, oldNamesOf, renamedText, twiceText } from "../options/old-names.ts";
import { foreignOption } from "./foreign-options.ts";
import { type Flags, OPTIONS, type Option } from "./options.ts";

export const usage = (message: string): SallyportError => new SallyportError("USAGE", message);

export interface CommandLine {
  readonly flags: Flags;
  readonly words: readonly string[];
  /** For the log, a line each: the old names of options that were used. */
  readonly renamed: readonly string[];
}

const TABLE: Readonly<Record<string, Option>> = OPTIONS;
const OLD_NAMES = oldNamesOf(Object.keys(TABLE), dashed);

/** Takes a command line apart. Throws USAGE that names the option at fault and the nearest known one. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const names = [...Object.keys(TABLE), ...OLD_NAMES.keys()];
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(names.map((name) => [name, nodeOption(optionOf(name) as Option)])),
  });
  const renamed = renamedIn(tokens);
  const flags: Record<string, unknown> = {};
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    else if (token.kind === "option") take(flags, token);
  }
  return { flags: flags as Flags, words, renamed };
}

const presentName = (name: string): string => OLD_NAMES.get(name) ?? name;
const optionOf = (name: string): Option | undefined => {
  const present = presentName(name);
  return Object.hasOwn(TABLE, present) ? TABLE[present] : undefined;
};

/** Throws USAGE for an option that is given by both of its names. */
function renamedIn(tokens: readonly { readonly kind: string; readonly name?: string }[]): string[] {
  const given = new Set(tokens.map(({ name }) => name));
  return [...OLD_NAMES].flatMap(([old, present]) => {
    if (!given.has(old)) return [];
    if (given.has(present)) throw usage(twiceText(`--${old}`, `--${present}`));
    return renamedText(`--${old}`, `--${present}`);
  });
}

const nodeOption = (option: Option): { type: "string" | "boolean"; short?: string } => ({
  type: option.value ? "string" : "boolean",
  ...(option.short ? { short: option.short } : {}),
});

interface Token {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
}

function take(flags: Record<string, unknown>, token: Token): void {
  const { rawName } = token;
  const name = presentName(token.name);
  const option = optionOf(name);
  if (!option)
    throw usage(
      foreignOption(rawName) ?? `unknown option ${rawName}${suggestion(name, Object.keys(OPTIONS), "--")}`,
    );
  const value = readValue(token, option);
  if (option.many) flags[name] = [...((flags[name] as unknown[]) ?? []), value];
  else if (name in flags && option.value) throw usage(`${rawName} is given twice`);
  else flags[name] = value;
}

function readValue({ rawName, value }: Token, option: Option): unknown {
  if (option.value && value === undefined)
    throw usage(`${rawName} needs a value: ${rawName} ${option.value}`);
  if (!option.value && value !== undefined) throw usage(`${rawName} takes no value`);
  const read = option.read(value ?? "");
  if (read === undefined) throw usage(`${rawName} must be ${option.expected}, not ${JSON.stringify(value)}`);
  return read;
}
