// The text of --help, made from the table of options.
// Tested by test/cli/options.test.ts.
import { OPTIONS, type Option } from "./options.ts";

const INTRODUCTION = `Usage: sallyport serve [TARGET] [options]
       sallyport dev [TARGET] [options]       a new version whenever a file changes
       sallyport check [TARGET] [options]     whether the configuration is valid, and what would be served
       sallyport explain [TARGET] [METHOD] URL [options]
                                              what would become of a request
       sallyport demo [--host HOST] [--port PORT]
                                              a site that shows what passes between server and application

TARGET is one of
  module:callable   a Python app; also \`module\` (its application or app), \`module:factory()\`
  app.ts            a module (.ts, .js, .mjs) that exports a fetch object or function, or a node handler
  directory         static files; --cgi PREFIX runs the programs below it
  program           an executable file: a CGI program that answers every path
  manage.py         the application of a Django project
  nothing           sallyport.config.{ts,js,json,yaml,toml} here, or --config FILE

A running server is asked by
  sallyport status [--json]            what runs, and what it has to do
  sallyport reload                     reads the configuration again; waits, and says why it failed
  sallyport stop                       waits until the server has gone
  sallyport restart APP                a new generation of one app
  sallyport scale APP N|MIN:MAX        how many processes the app has
  sallyport stacks APP                 where its requests are in its Python code
`;

const VARIABLES = `Environment
  SALLYPORT_...              any option: SALLYPORT_HTTP for --http, SALLYPORT_SERVER_PROCESSES=2;
                             options go before variables, and variables before the configuration
  PORT, HOST                 where to listen (0.0.0.0) when neither options nor the configuration say it
`;

/** The widest column of option names; longer ones have their help on the next line. */
const COLUMN = 26;

/** \`--port PORT\`, \`-h, --help\`. */
export const optionSyntax = (name: string, { value, short }: Option): string =>
  `${short ? `-${short}, ` : ""}--${name}${value ? ` ${value}` : ""}`;

/** The options of the table by their groups, in its order. */
export function optionGroups(): Map<string, [string, Option][]> {
  const groups = new Map<string, [string, Option][]>();
  for (const entry of Object.entries(OPTIONS) as [string, Option][]) {
    const group = groups.get(entry[1].group) ?? [];
    groups.set(entry[1].group, [...group, entry]);
  }
  return groups;
}

export function helpText(): string {
  const groups = [...optionGroups()].map(
    ([group, options]) => `${group}\n${options.map(optionLine).join("")}`,
  );
  return `${INTRODUCTION}\n${groups.join("\n")}\n${VARIABLES}`;
}

function optionLine([name, option]: [string, Option]): string {
  const syntax = optionSyntax(name, option).padEnd(COLUMN);
  const gap = syntax.length > COLUMN ? `\n${" ".repeat(COLUMN + 2)}` : "";
  return `  ${syntax}${gap} ${option.help}\n`;
}
