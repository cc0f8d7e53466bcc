// The tables of docs/discussion/, read from the source: states with their reactions to events, and bounds that no option
// changes. It reads the text of the source, because the comments of the states are part of the tables.
import { readFileSync } from "node:fs";

const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

const escaped = (text) => text.replaceAll("|", "\\|");

/** `const NAME: ... = { ... };` of a file, between its braces. */
function literal(path, name) {
  const found = new RegExp(`^(?:export )?const ${name}: [^=]*= \\{\\n([\\s\\S]*?)^\\};`, "m").exec(
    read(path),
  );
  if (!found) throw new Error(`${path} has no table ${name}`);
  return found[1];
}

/** Its rows: what the comment above each says, its name, and its cells. */
function rows(path, name) {
  const text = literal(path, name);
  const found = [...text.matchAll(/^ {2}(?:\/\*\* (.*) \*\/\n {2})?(\w+): \{\s+([^}]*?),?\s+\},$/gm)];
  const all = text.match(/^ {2}\w+: /gm) ?? [];
  if (found.length !== all.length)
    throw new Error(`of the ${all.length} rows of ${name} in ${path} ${found.length} can be read`);
  return found.map(([, comment = "", state, cells]) => ({ comment, state, cells: cellsOf(cells) }));
}

const cellsOf = (text) =>
  Object.fromEntries(text.split(/,\s+/).map((cell) => cell.replaceAll('"', "").split(": ")));

const table = (heads, lines) =>
  [heads, heads.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |\n`).join("");

const code = (text) => (text === undefined || text === "undefined" ? "" : `\`${text}\``);

const cell = (text) => (text === "true" ? "yes" : text === "false" ? "" : code(text));

/** A table of states whose rules have these columns, with what the page calls them. */
function states({ path, name, columns }) {
  const lines = rows(path, name).map(({ comment, state, cells }) => [
    code(state),
    escaped(comment),
    ...Object.keys(columns).map((key) => cell(cells[key])),
  ]);
  return table(["state", "meaning", ...Object.values(columns)], lines);
}

/**
 * The same table as a picture: round the states, square the moves, and between them what happens. A move leads to the state
 * that its method, in `connection`, enters.
 */
function picture({ path, name, connection = path }) {
  const all = rows(path, name);
  const edges = all.flatMap(({ state, cells }) => edgesOf(state, cells));
  const moves = [...new Set(edges.map(({ move }) => move))];
  const lines = [
    ...all.map(({ state }) => `${state}([${state}])`),
    ...edges.map(({ state, move, events }) => `${state} -- "${events.join(", ")}" --> ${move}_[${move}]`),
    ...moves.flatMap((move) => entered(connection, move).map((state) => `${move}_ --> ${state}`)),
  ];
  return `\`\`\`mermaid\nflowchart LR\n${lines.map((line) => `  ${line}\n`).join("")}\`\`\`\n`;
}

/** From one state: the moves that end it, and the events that lead to each. */
function edgesOf(state, { limit, expired, ended, stopped }) {
  const events = [
    [limit, expired],
    ["the peer's end", ended],
    ["stop", stopped],
  ];
  const moves = [...new Set(events.map(([, move]) => move))].filter((move) => move !== "stay");
  return moves.map((move) => ({
    state,
    move,
    events: events.filter((event) => event[1] === move).map(([event]) => event),
  }));
}

function entered(path, move) {
  const [, method = ""] =
    new RegExp(`^  ${move}\\(\\): void \\{\\n([\\s\\S]*?)^  \\}`, "m").exec(read(path)) ?? [];
  const found = method.matchAll(/#life\.(?:(?:enter|advance)\("(\w+)"\)|(linger)\(\))/g);
  return [...found].map(([, state, linger]) => state ?? linger);
}

const LIFE = {
  limit: "lasts at most",
  expired: "then",
  ended: "the peer ends its side",
  stopped: "the listener closes",
};

/** The life-cycles: each table, and the file with its moves. */
const LIFECYCLES = {
  http: {
    path: "src/protocols/http1/states.ts",
    name: "CONNECTION_RULES",
    connection: "src/protocols/http1/connection.ts",
    columns: { step: "bytes are read as", ...LIFE },
  },
  "cgi-socket": { path: "src/cgi/socket/connection.ts", name: "RULES", columns: LIFE },
  fastcgi: { path: "src/protocols/fastcgi/application/connection.ts", name: "RULES", columns: LIFE },
  websocket: {
    path: "src/websocket/states.ts",
    name: "SESSION_RULES",
    connection: "src/websocket/session.ts",
    columns: { step: "frames are read for", ...LIFE },
  },
};

/** Which calls an exchange accepts in which phase. */
function phases() {
  const all = rows("src/exchange/base-exchange.ts", "ACCEPTS");
  const calls = Object.keys(all[0].cells);
  const lines = all.map(({ state, cells }) => [code(state), ...calls.map((call) => cell(cells[call]))]);
  return table(["phase", ...calls.map(code)], lines);
}

/** Bounds that are constants of the code, with their unit; and with their meaning where no comment of theirs says it. */
const BOUNDS = [
  ["src/workers/link.ts", "WINDOW", "bytes"],
  ["src/workers/link.ts", "PIECE", "bytes"],
  ["src/workers/link.ts", "MAX_FRAME", "bytes"],
  ["python/sallyport/link.py", "HEAD_LIMIT", "bytes"],
  ["src/workers/outbox.ts", "ROOM", "bytes", "Finished answers that may wait in a worker's outbox."],
  ["src/workers/worker-link.ts", "LINK_FULL", "bytes"],
  ["src/workers/common-parts.ts", "KEPT", "parts", "Common parts of requests that one worker keeps."],
  ["src/cgi/response-reader.ts", "LIMIT", "bytes", "The head of a response in CGI's form. More: 502."],
  ["src/protocols/cgi/run.ts", "SILENCE", "ms"],
  [
    "src/exchange/events.ts",
    "EVENT_STREAM_GRACE",
    "ms",
    "For a last event of an event stream, once the server leaves.",
  ],
  ["src/sockets/connections.ts", "LAST_WORDS", "ms"],
  [
    "src/websocket/raw-socket.ts",
    "MOST_BYTES",
    "bytes",
    "The head with which an app answers an upgrade, and the body where it refuses. More: 500.",
  ],
  [
    "src/sockets/descriptors.ts",
    "RESERVE",
    "files",
    "Kept free of connections: for workers, programs and logs.",
  ],
];

/** The number of a constant, and the comment above it. */
function bound([path, name, unit, said]) {
  const pattern = new RegExp(
    `(?:^(?:/\\*\\* (.*) \\*/|# (.*))\\n)?^(?:export )?(?:const )?${name} = ([\\d_]+);?$`,
    "m",
  );
  const [, block, line, value] = pattern.exec(read(path)) ?? [];
  const meaning = said ?? block ?? line;
  if (value === undefined || !meaning) throw new Error(`${path} has no constant ${name} with a comment`);
  const number = Number(value.replaceAll("_", "")).toLocaleString("en");
  return [`${number} ${unit}`, escaped(meaning), `\`${name}\` of [\`${path}\`](../../${path})`];
}

/** The tables, by their names. */
export const discussionTables = () => ({
  ...each(states),
  ...each(picture, "-picture"),
  phases: phases(),
  bounds: table(["value", "meaning", "where"], BOUNDS.map(bound)),
});

const each = (make, suffix = "") =>
  Object.fromEntries(Object.entries(LIFECYCLES).map(([name, life]) => [name + suffix, make(life)]));
