// An explanation as text for people: aligned columns, and colours where the terminal shows them.
import { styleText } from "node:util";
import { type Route, routePrefix } from "../server/routes.ts";
import { escapeControls } from "../wire/escape.ts";
import type { WireField } from "../wire/fields.ts";
import { answerAt } from "../wire/message.ts";
import type { Explanation, RunAnswer } from "./explain.ts";
import { FACTS, nameOfFact, TITLES } from "./facts.ts";
import type { HandedValue, Handover, WireMessage } from "./handover.ts";

export interface TextOptions {
  readonly colours: boolean;
  /** Also shows the bytes. */
  readonly bytes: boolean;
}

type Style = Parameters<typeof styleText>[0];

/** The widest value in a column; longer ones push the next column away. */
const WIDEST = 48;
/** Bytes on a line. */
const LINE = 16;

export function explanationText(found: Explanation, options: TextOptions): string {
  const paint = (style: Style, text: string): string =>
    options.colours ? styleText(style, text, { validateStream: false }) : text;
  const title = (text: string): string => `\n${paint("bold", text)}\n`;
  const out = [`${paint("bold", found.method)} ${found.url}\n`];
  const add = (heading: string, rows: readonly (readonly string[])[]): void => {
    if (rows.length > 0)
      out.push(
        title(heading),
        table(rows, (text) => paint("dim", text)),
      );
  };
  add(
    "Proxies",
    found.proxies.map((note) => [note]),
  );
  add(
    "Routes",
    found.routes.map(({ route, answers, why }) => [
      `${answers ? "→" : " "} ${routeText(route)}`,
      `app ${route.app}`,
      why,
    ]),
  );
  if (found.refusal) out.push(title("Refused"), refusalText(found.refusal));
  const [shown, other] = found.handovers;
  if (found.notes.length > 0)
    add(
      "Note",
      found.notes.map((note) => [note]),
    );
  if (shown && other)
    add(`${TITLES[shown.interface]} beside ${TITLES[other.interface]}`, comparison(shown, other));
  else if (shown) add(`${TITLES[shown.interface]} — ${shown.carrier}`, valueRows(shown));
  if (options.bytes)
    for (const message of messagesOf(found)) out.push(title(message.name), messageText(message));
  if (found.answer) {
    out.push(
      title("Answer"),
      table(phaseRows(found), (text) => paint("dim", text)),
    );
    out.push(headsText(found.answer));
  }
  return out.join("");
}

/** `example.org/shop *.php`. */
export const routeText = (route: Route): string =>
  routePrefix(route) + (route.suffix ? ` *${route.suffix}` : "");

const refusalText = ({ status, code, fault, message }: NonNullable<Explanation["refusal"]>): string =>
  `  ${status} ${message} [${code}], the fault of the ${fault}\n`;

const valueRows = ({ values, body }: Handover): string[][] =>
  [...values, body].map(({ name, value, from }) => [name, value === "" ? '""' : value, from]);

/** Rows of columns, each as wide as its widest cell; the last one is a remark. */
function table(rows: readonly (readonly string[])[], remark: (text: string) => string): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [i, cell] of row.entries())
      widths[i] = Math.max(widths[i] ?? 0, Math.min(WIDEST, escapeControls(cell).length));
  return rows.map((row) => `  ${line(row, widths, remark)}\n`).join("");
}

function line(row: readonly string[], widths: readonly number[], remark: (text: string) => string): string {
  const last = row.length - 1;
  const cells = row.map((cell, i) => {
    if (i < last) return escapeControls(cell).padEnd(widths[i] as number);
    return last > 0 ? remark(escapeControls(cell)) : escapeControls(cell);
  });
  return cells.join("  ").trimEnd();
}

// Two interfaces side by side.

/** The facts that both carry, by the names that they have in each; then what only one of them has. */
function comparison(one: Handover, other: Handover): string[][] {
  const told = [new Set<string>(), new Set<string>()] as const;
  const rows = FACTS.map((fact) => [
    fact.name,
    factText(one, nameOfFact(fact, one.interface), told[0]),
    factText(other, nameOfFact(fact, other.interface), told[1]),
  ]);
  rows.push(["body", `${one.body.name} = ${one.body.value}`, `${other.body.name} = ${other.body.value}`]);
  return [...rows, ...only(one, told[0], "only", 1), ...only(other, told[1], "only", 2)];
}

function factText({ values }: Handover, name: string, told: Set<string>): string {
  if (name === "") return "-";
  told.add(name);
  const found = values.find((value) => value.name === name);
  return found ? `${name} = ${found.value || '""'}` : "-";
}

const only = ({ values }: Handover, told: ReadonlySet<string>, label: string, column: 1 | 2): string[][] =>
  values
    .filter(({ name }) => !told.has(name))
    .map((value) => (column === 1 ? [label, pair(value), "-"] : [label, "-", pair(value)]));

const pair = ({ name, value }: HandedValue): string => `${name} = ${value || '""'}`;

// Bytes.

const messagesOf = ({ request, handovers, answer }: Explanation): WireMessage[] => [
  request,
  ...handovers.flatMap(({ messages }) => messages),
  ...(answer ? [answer.response] : []),
];

/** Each field with its place and its bytes; those with fields inside as a heading over them. */
function messageText({ bytes, fields }: WireMessage): string {
  const digits = Math.max(4, bytes.length.toString(16).length);
  const rows: string[] = [];
  const visit = (field: WireField, depth: number): void => {
    const indent = "  ".repeat(depth);
    if (field.fields) {
      rows.push(
        `  ${" ".repeat(digits + 2 + LINE * 3)}${indent}${field.name}${field.value === "" ? "" : `: ${escapeControls(field.value)}`}`,
      );
      for (const inner of field.fields) visit(inner, depth + 1);
    } else rows.push(...leafRows(field, bytes, digits, indent));
  };
  for (const field of fields) visit(field, 0);
  return `${rows.join("\n")}\n`;
}

function leafRows(
  { from, to, name, value }: WireField,
  bytes: Buffer,
  digits: number,
  indent: string,
): string[] {
  const rows: string[] = [];
  for (let at = from; at < to; at += LINE) {
    const hex = [...bytes.subarray(at, Math.min(to, at + LINE))].map((byte) =>
      byte.toString(16).padStart(2, "0"),
    );
    const meaning = at === from ? `${indent}${name} ${escapeControls(value)}`.trimEnd() : "";
    rows.push(
      `  ${at.toString(16).padStart(digits, "0")}  ${hex.join(" ").padEnd(LINE * 3)}${meaning}`.trimEnd(),
    );
  }
  return rows;
}

// The answer.

function phaseRows({ answer }: Explanation): string[][] {
  if (!answer) return [];
  const { total, queue, application, write } = answer.phases;
  const phases: readonly (readonly [string, number | undefined])[] = [
    ["in the queue", queue],
    ["application", application],
    ["writing", write],
    ["in all", total],
  ];
  const rows = phases.flatMap(([name, ms]) => (ms === undefined ? [] : [[name, `${ms.toFixed(2)} ms`, ""]]));
  return answer.pid === undefined ? rows : [...rows, ["process", `${answer.pid}`, ""]];
}

/** The heads as they were sent, those of informational responses first, and how many bytes follow. */
function headsText({ response: { bytes }, cut }: RunAnswer): string {
  const text = bytes.toString("latin1");
  const end = text.indexOf("\r\n\r\n", answerAt(bytes));
  const heads = text.slice(0, end < 0 ? undefined : end).split("\r\n");
  const rest = end < 0 ? 0 : bytes.length - end - 4;
  const more = cut === undefined ? "" : `; no more was read, for ${cut}`;
  return `${[...heads, `(${rest} bytes of body${more})`].map((one) => `  ${escapeControls(one)}`.trimEnd()).join("\n")}\n`;
}
