// Bytes as cells, one each, coloured by the field that they belong to: text as characters, everything else as two hexadecimal digits.
import { textOfBytes } from "../../src/wire/fields.ts";
import { drawing, KINDS, MARGIN, rect, text, WIDTH, wrapped } from "./svg.mjs";

const ROW = 20;
const HEIGHT = 17;
/** Between two messages, or two records. */
const GAP = 9;
const HEADING = 18;

/** What a field of the dissectors is, by its name; other numbers of a protocol are its heads. */
const KIND_OF = {
  "request id": "id",
  name: "name",
  value: "value",
  body: "body",
  content: "body",
  padding: "end",
  colon: "end",
  comma: "end",
  "equals sign": "end",
  "empty line": "end",
};

const kindOf = ({ name }) =>
  KIND_OF[name] ?? (/^end of /.test(name) ? "end" : /^(length|size) of /.test(name) ? "length" : "head");

export const leavesOf = (fields) =>
  fields.flatMap((field) => (field.fields ? leavesOf(field.fields) : [field]));

/** The cells of `leaves`, in rows of `columns`, from `top` down. Gives the parts of the drawing, and where they end. */
export function cells(leaves, bytes, { top, columns, left = MARGIN }) {
  const width = (WIDTH - MARGIN - left) / columns;
  const first = leaves[0]?.from ?? 0;
  const parts = [];
  const place = (at) => [
    left + ((at - first) % columns) * width,
    top + Math.floor((at - first) / columns) * ROW,
  ];
  for (const leaf of leaves) {
    for (const [from, to] of rowsOf(leaf, first, columns)) {
      const [x, y] = place(from);
      parts.push(rect(x + 0.5, y, (to - from) * width - 1, HEIGHT, kindOf(leaf)));
    }
    const textual = isText(leaf, bytes);
    for (let at = leaf.from; at < leaf.to; at++) parts.push(cell(bytes[at], textual, place(at), width));
  }
  const last = leaves.at(-1)?.to ?? first;
  return { parts: [parts.join("")], bottom: top + Math.ceil((last - first) / columns) * ROW };
}

/** The parts of a field in one row each. */
function rowsOf({ from, to }, first, columns) {
  const rows = [];
  for (let at = from; at < to; ) {
    const end = Math.min(to, at + columns - ((at - first) % columns));
    rows.push([at, end]);
    at = end;
  }
  return rows;
}

const TEXTS = new Set(["name", "value", "body", "end"]);

/** Not a number whose bytes happen to be those of characters. */
const isText = (leaf, bytes) =>
  TEXTS.has(kindOf(leaf)) || leaf.value === textOfBytes(bytes.subarray(leaf.from, leaf.to));

function cell(byte, textual, [x, y], width) {
  const isHex = !textual || byte < 0x20 || byte > 0x7e;
  const character = byte === 0x20 ? "␣" : String.fromCharCode(byte);
  const shown = isHex ? byte.toString(16).padStart(2, "0") : character;
  return text(x + width / 2, y + (isHex ? 12 : 12.5), shown, isHex ? "ink hex" : "ink cell");
}

/** What the colours mean that are used. */
export function legend(kinds, top) {
  const parts = [];
  let [x, y] = [MARGIN, top];
  for (const kind of Object.keys(KINDS).filter((one) => kinds.has(one))) {
    const [meaning] = KINDS[kind];
    const width = 18 + meaning.length * 6.8;
    if (x + width > WIDTH - MARGIN) [x, y] = [MARGIN, y + 18];
    parts.push(rect(x, y, 12, 12, kind), text(x + 16, y + 10.5, meaning, "dim"));
    x += width + 8;
  }
  return { parts, bottom: y + 22 };
}

/** Messages one below the other; records begin a row each. */
export function bytesDrawing({ title, messages, columns = 20 }) {
  const all = messages.flatMap(({ fields }) => leavesOf(fields));
  const { parts, bottom } = legend(new Set(all.map(kindOf)), MARGIN);
  let top = bottom;
  for (const message of messages) {
    for (const { heading, fields } of partsOf(message)) {
      parts.push(text(MARGIN, top + 12, heading, "ink bold"));
      const drawn = cells(leavesOf(fields), message.bytes, { top: top + HEADING, columns });
      parts.push(...drawn.parts);
      top = drawn.bottom + GAP;
    }
  }
  return drawing({ title, description: messages.map(inWords).join(" "), height: top, parts });
}

/** The records of a message, or all of it. */
function partsOf({ name, bytes, fields }) {
  const records = fields.filter((field) => field.name === "record");
  return records.length > 0
    ? records.map((record) => ({
        heading: `${record.value.replace(" of the stream", "")}, ${bytesText(record)}`,
        fields: [record],
      }))
    : [{ heading: `${name}, ${bytes.length} bytes`, fields }];
}

const bytesText = ({ from, to }) => `${to - from} bytes`;

/** The fields in words, innermost groups as `name: value`. */
function inWords({ name, bytes, fields }) {
  return `${name[0].toUpperCase()}${name.slice(1)}, ${bytes.length} bytes: ${fields.flatMap(wordsOf).join("; ")}.`;
}

function wordsOf(field) {
  if (!field.fields) return /^(end of|colon|comma|padding|empty)/.test(field.name) ? [] : [pair(field)];
  if (field.fields.every((inner) => !inner.fields) && field.name !== "record") return [pair(field)];
  return field.name === "record" ? [field.value, ...deep(field)] : field.fields.flatMap(wordsOf);
}

const deep = ({ fields }) =>
  fields.filter((inner) => inner.fields || inner.name === "content").flatMap(wordsOf);

const pair = ({ name, value }) => `${name}: ${value || "empty"}`;

// A call, in which no bytes cross: what was handed over and what was said, as Python writes it.

const CHARACTERS = 50;
const LINE = 15;

export function callDrawing({ title, handed, values, calls }) {
  const { parts, bottom } = legend(new Set(["name", "value"]), MARGIN);
  parts.push(text(MARGIN, bottom + 12, `${handed}, ${values.length} entries`, "ink bold"));
  let top = bottom + HEADING;
  for (const { name, value } of values) {
    const lines = wrapped(`${name}: ${value}`, CHARACTERS);
    const size = (words) => words.length * 6.6 + 4;
    parts.push(rect(MARGIN, top, size(name), LINE - 1, "name"));
    for (const [i, words] of lines.entries()) {
      const from = i === 0 ? size(`${name}: `) : 12;
      const shown = i === 0 ? words.slice(name.length + 2) : words;
      if (shown) parts.push(rect(MARGIN + from - 2, top, size(shown), LINE - 1, "value"));
      if (i === 0) parts.push(text(MARGIN + 2, top + 11, name, "ink mono"));
      parts.push(text(MARGIN + from, top + 11, shown, "ink mono"));
      top += LINE;
    }
  }
  top += GAP;
  for (const { by, text: said } of calls) {
    parts.push(text(MARGIN, top + 11, by === "server" ? "the server" : "the application", "dim"));
    top += LINE;
    for (const words of wrapped(said, CHARACTERS)) {
      parts.push(text(MARGIN + 8, top + 11, words, "ink mono"));
      top += LINE;
    }
  }
  const description = [
    `${handed}: ${values.map(({ name, value }) => `${name}: ${value}`).join("; ")}.`,
    ...calls.map(({ by, text: said }) => `The ${by}: ${said}.`),
  ].join(" ");
  return drawing({ title, description, height: top + MARGIN, parts });
}
