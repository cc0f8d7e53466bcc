// The tables of docs/command-line.md and docs/moving.md, from the tables of options.
// Tested by test/config/docs.test.ts.
import { FOREIGN_OPTIONS } from "./foreign-options.ts";
import { optionGroups, optionSyntax } from "./help.ts";
import type { Option } from "./options.ts";

/** A Markdown table for each group of options, by its name in lower case. */
export function optionTables(): Record<string, string> {
  const tables: Record<string, string> = {};
  for (const [group, options] of optionGroups()) {
    tables[group.toLowerCase()] =
      `| option | meaning | for |\n| --- | --- | --- |\n${options.map(row).join("")}`;
  }
  return tables;
}

/** For each other server, by its name in lower case, its options and ours. */
export function foreignTables(): Record<string, string> {
  const rows = new Map<string, string[]>();
  for (const [option, [theirs, ours]] of Object.entries(FOREIGN_OPTIONS))
    for (const server of theirs)
      rows.set(server, [...(rows.get(server) ?? []), `| \`${option}\` | ${cell(asCode(ours))} |\n`]);
  return Object.fromEntries(
    [...rows].map(([server, own]) => [
      server.toLowerCase(),
      `| there | here |\n| --- | --- |\n${own.join("")}`,
    ]),
  );
}

/** Options with their values. */
const asCode = (text: string): string => text.replace(/--[a-z-]+(?: [A-Z][A-Z:/=a-z]*)?/g, "`$&`");

const cell = (text: string): string => text.replaceAll("|", "\\|");

function row([name, option]: [string, Option]): string {
  const targets = option.targets?.join(", ") ?? "every target";
  return `| \`${cell(optionSyntax(name, option))}\` | ${cell(option.help)} | ${targets} |\n`;
}
