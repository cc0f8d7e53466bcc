// The tables of docs/command-line.md, from the table of options.
// Tested by test/config/docs.test.ts.
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

const cell = (text: string): string => text.replaceAll("|", "\\|");

function row([name, option]: [string, Option]): string {
  const targets = option.targets?.join(", ") ?? "every target";
  return `| \`${cell(optionSyntax(name, option))}\` | ${cell(option.help)} | ${targets} |\n`;
}
