// The drawings and tables of docs/guide/, made of what the encoders write and of real runs (scripts/guide/capture.mjs).
import { FACTS, nameOfFact, TITLES } from "../src/explain/facts.ts";
import { bytesDrawing, callDrawing, cells, leavesOf } from "./guide/bytes.mjs";
import { capture, GUIDED, REQUEST } from "./guide/capture.mjs";
import { drawing, MARGIN, text } from "./guide/svg.mjs";
import { wayDrawing } from "./guide/way.mjs";

/** `files`: the drawings by their names in docs/guide/. `tables`: by the names of their marks. */
export async function guideParts() {
  const captured = await capture();
  return { files: filesOf(captured), tables: tablesOf(captured) };
}

const REQUEST_LINE = `${REQUEST.method} ${REQUEST.target}`;

// Drawings.

const WALLS = {
  cgi: "a new process",
  fastcgi: "a socket",
  scgi: "a socket",
  uwsgi: "a socket",
  wsgi: "a call",
  asgi: "a call",
};

function filesOf({ request, response, interfaces }) {
  const files = {
    "http-bytes.svg": bytesDrawing({ title: "The HTTP request, byte by byte", messages: [request] }),
    "six-ways.svg": sixWays(interfaces),
  };
  for (const name of GUIDED) {
    files[`${name}.svg`] = way(name, interfaces[name], response);
    files[`${name}-bytes.svg`] = crossing(name, interfaces[name]);
  }
  return files;
}

/** What crosses the wall, and what comes back. */
function crossing(name, { messages, answer, values, calls }) {
  const title = `What crosses in ${TITLES[name]}`;
  if (!calls) return bytesDrawing({ title, messages: [...messages, answer] });
  return callDrawing({ title, handed: name === "wsgi" ? "environ" : "scope", values, calls });
}

function way(name, handover, response) {
  const steps = [
    ["browser", "server", REQUEST_LINE],
    ...STEPS[name](handover),
    ...(name === "cgi" ? [] : [["application", "stays", "its process stays for the next request"]]),
    ["server", "browser", `${firstLine(response.bytes)}\n${lastLine(response.bytes)}`],
  ];
  return wayDrawing({ title: `The way of a request by ${TITLES[name]}`, wall: WALLS[name], steps });
}

const linesOf = (bytes) => bytes.toString("latin1").trimEnd().split(/\r?\n/);
const firstLine = (bytes) => linesOf(bytes)[0];
const lastLine = (bytes) => linesOf(bytes).at(-1);

/** The variable that the drawings follow, with its value. */
function query({ values }) {
  const { name, value } = values.find((one) => one.name === "QUERY_STRING");
  return `${name} = ${value}`;
}

const toApplication = (words) => ["server", "application", words];
const toServer = (words) => ["application", "server", words];
const body = REQUEST.body.toString();

/** What passes between the two halves. */
const STEPS = {
  cgi: (handover) => [
    ["application", "begins", "starts the program"],
    toApplication(`environment: ${handover.values.length} variables\n${query(handover)}`),
    toApplication(`standard input: ${body}`),
    toServer(`standard output: ${firstLine(handover.answer.bytes)}\n${lastLine(handover.answer.bytes)}`),
    ["application", "ends", "the process ends"],
  ],
  fastcgi: ({ messages: [message], answer, ...handover }) => [
    ...message.fields.map((record) => toApplication(recordText(record, query(handover)))),
    ...answer.fields.map((record) => toServer(recordText(record, ""))),
  ],
  scgi: (handover) => [
    toApplication(
      `netstring: ${handover.values.length} variables, ${sizeOf(handover)} bytes\n${query(handover)}`,
    ),
    toApplication(`body: ${body}`),
    toServer(answerText(handover)),
    toServer("closes the connection"),
  ],
  uwsgi: (handover) => [
    toApplication(
      `packet: ${handover.values.length} variables, ${sizeOf(handover)} bytes\n${query(handover)}`,
    ),
    toApplication(`body: ${body}`),
    toServer(answerText(handover)),
    toServer("closes the connection"),
  ],
  wsgi: spoken,
  asgi: spoken,
};

function spoken({ calls }) {
  return calls.map(({ by, text: said }) => (by === "server" ? toApplication(said) : toServer(said)));
}

const sizeOf = ({ messages: [message] }) => message.bytes.length - REQUEST.body.length;

const answerText = ({ answer }) => `${firstLine(answer.bytes)}\n${lastLine(answer.bytes)}`;

/** A record, with the query where it is among its pairs, and the text of a stream. */
function recordText({ value, fields }, told) {
  const content = fields.find(({ name }) => name === "content");
  const pairs = fields.find(({ name }) => name === "name-value pairs");
  if (pairs) return `${value}: ${pairs.fields.length} variables\n${told}`;
  return content ? `${value}: ${content.value.split("\\n").filter(Boolean).at(-1)}` : value;
}

// The query in each of them.

const CELLS = 23;
const CARRIED = {
  cgi: "in the environment of a new process",
  fastcgi: "in a PARAMS record, after both lengths",
  scgi: "in a netstring, each ends with a byte 0",
  uwsgi: "in a packet, each after its length",
  wsgi: "in a dictionary, as str",
  asgi: "in a dictionary, as bytes",
};

function sixWays(interfaces) {
  const parts = [
    text(MARGIN, 18, REQUEST_LINE, "ink mono bold"),
    text(MARGIN, 34, "and how each interface hands over the query:", "dim"),
  ];
  const words = [];
  let top = 46;
  for (const name of GUIDED) {
    parts.push(text(MARGIN, top + 12, TITLES[name], "ink bold"));
    parts.push(text(MARGIN + 62, top + 12, CARRIED[name], "dim"));
    parts.push(...queryCells(name, interfaces[name], top + 19));
    words.push(`${TITLES[name]}: ${CARRIED[name]}.`);
    top += 48;
  }
  const description = `${REQUEST_LINE}, and how each interface hands over the query, table=4. ${words.join(" ")}`;
  return drawing({ title: "One query, six ways", description, height: top, parts });
}

function queryCells(name, { calls, values, messages: [message] }, top) {
  if (!calls) {
    const field = find(message.fields, "QUERY_STRING");
    return cells(leavesOf([field]), message.bytes, { top, columns: CELLS }).parts;
  }
  const key = name === "wsgi" ? "QUERY_STRING" : "query_string";
  const { value } = values.find((one) => one.name === key);
  const shown =
    name === "wsgi" ? `environ["${key}"] == "${value}"` : `scope["${key}"] == ${value.replaceAll("'", '"')}`;
  return [text(MARGIN, top + 12, shown, "ink mono")];
}

function find(fields, name) {
  for (const field of fields) {
    const found = field.fields && (field.name === name ? field : find(field.fields, name));
    if (found) return found;
  }
  return undefined;
}

// Tables.

function tablesOf({ interfaces }) {
  const tables = { facts: factTable(interfaces), sizes: sizeTable(interfaces) };
  for (const name of GUIDED) tables[name] = valueTable(name, interfaces[name]);
  return tables;
}

const table = (heads, rows) =>
  [heads, heads.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |\n`).join("");

const code = (words) => (words === "" ? "" : `\`${words}\``);

/** The facts by the names of one interface, with where they come from. */
function valueTable(name, handover) {
  const rows = FACTS.flatMap((fact) => {
    const found = handover.values.find((one) => one.name === nameOfFact(fact, name));
    return found ? [[fact.name, code(found.name), code(found.value), found.from]] : [];
  });
  const header = handover.values.find((one) => /^(HTTP_HOST|headers)$/.test(one.name));
  rows.push(["header fields, such as Host", code(header.name), code(header.value), header.from]);
  rows.push(["the body", code(handover.body.name), code(body), handover.body.from]);
  return table(["fact", "name", "value", "where it comes from"], rows);
}

/** By name and value: CGI's variables, WSGI's and ASGI's. */
function factTable({ cgi, wsgi, asgi }) {
  const cell = (handover, fact) => {
    const name = nameOfFact(fact, handover.interface);
    const found = handover.values.find((one) => one.name === name);
    if (found) return `${code(found.name)} ${code(found.value)}`;
    return name.startsWith("headers: ") ? `${code(name.slice(9))} of ${code("headers")}` : "";
  };
  const rows = FACTS.map((fact) => [fact.name, cell(cgi, fact), cell(wsgi, fact), cell(asgi, fact)]);
  rows.push(["the body", ...[cgi, wsgi, asgi].map((one) => code(one.body.name))]);
  return table(["fact", "CGI, FastCGI, SCGI, uwsgi", "WSGI", "ASGI"], rows);
}

function sizeTable(interfaces) {
  const rows = GUIDED.map((name) => {
    const { messages, carrier } = interfaces[name];
    const size = messages.reduce((sum, { bytes }) => sum + bytes.length, 0);
    return [TITLES[name], `${size} bytes`, carrier.replace("|", "\\|")];
  });
  return table(["", "size", "carried by"], rows);
}
