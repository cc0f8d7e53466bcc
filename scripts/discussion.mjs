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
  const found = [...text.matchAll(/^ {2}(?:\/\*\* (.*) \*\/\n {2})?(\w+): \{ (.*) \},$/gm)];
  const all = text.match(/^ {2}\w+: /gm) ?? [];
  if (found.length !== all.length)
    throw new Error(`of the ${all.length} rows of ${name} in ${path} ${found.length} can be read`);
  return found.map(([, comment = "", state, cells]) => ({ comment, state, cells: cellsOf(cells) }));
}

const cellsOf = (text) =>
  Object.fromEntries(text.split(", ").map((cell) => cell.replaceAll('"', "").split(": ")));

const table = (heads, lines) =>
  [heads, heads.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |\n`).join("");

const code = (text) => (text === undefined || text === "undefined" ? "" : `\`${text}\``);

/** A table of states whose rules have these columns, with what the page calls them. */
function states(path, name, columns) {
  const lines = rows(path, name).map(({ comment, state, cells }) => [
    code(state),
    escaped(comment),
    ...Object.keys(columns).map((key) => code(cells[key])),
  ]);
  return table(["state", "meaning", ...Object.values(columns)], lines);
}

const LIFE = {
  limit: "lasts at most",
  expired: "then",
  ended: "the peer ends its side",
  stopped: "the listener closes",
};

/** Which calls an exchange accepts in which phase. */
function phases() {
  const all = rows("src/exchange/base-exchange.ts", "ACCEPTS");
  const calls = Object.keys(all[0].cells);
  const lines = all.map(({ state, cells }) => [
    code(state),
    ...calls.map((call) => (cells[call] === "true" ? "yes" : "")),
  ]);
  return table(["phase", ...calls.map(code)], lines);
}

/** What the comment above the states says of each: `open: messages pass. closing: we sent a close frame.` */
function meaningsOf(path) {
  const [, comment = ""] = /\/\*\*\n([\s\S]*?)\*\//.exec(read(path)) ?? [];
  const text = comment.replaceAll(/\s*\n? \* /g, " ");
  return new Map(
    [...text.matchAll(/(\w+): (.*?)\.(?= \w+: |\s*$)/g)].map(([, state, said]) => [state, said]),
  );
}

function sockets() {
  const path = "src/websocket/states.ts";
  const meanings = meaningsOf(path);
  const lines = rows(path, "SESSION_RULES").map(({ state, cells }) => {
    const meaning = meanings.get(state);
    if (!meaning) throw new Error(`the comment of ${path} does not say what ${state} is`);
    return [code(state), escaped(meaning), yes(cells.reads), yes(cells.delivers), code(cells.limit)];
  });
  return table(["state", "meaning", "frames are read", "messages are delivered", "lasts at most"], lines);
}

const yes = (text) => (text === "true" ? "yes" : "");

/** Bounds that are constants of the code, with their unit; and with their meaning where no comment of theirs says it. */
const BOUNDS = [
  ["src/workers/link.ts", "WINDOW", "bytes"],
  ["src/workers/link.ts", "PIECE", "bytes"],
  ["src/workers/link.ts", "MAX_FRAME", "bytes"],
  ["python/sallyport/link.py", "HEAD_LIMIT", "bytes"],
  ["src/workers/outbox.ts", "ROOM", "bytes", "Finished answers that may wait in a worker's outbox."],
  ["src/workers/worker.ts", "LINK_FULL", "bytes"],
  ["src/workers/commons.ts", "KEPT", "parts", "Common parts of requests that one worker keeps."],
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
  http: states("src/protocols/http1/states.ts", "CONNECTION_RULES", { step: "bytes are read as", ...LIFE }),
  "cgi-socket": states("src/cgi/socket/connection.ts", "RULES", LIFE),
  websocket: sockets(),
  phases: phases(),
  bounds: table(["value", "meaning", "where"], BOUNDS.map(bound)),
});
