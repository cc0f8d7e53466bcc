// The requests under way, and the live Python stack of one of them.
import { ask } from "./api.js";
import { h, milliseconds, number, table } from "./dom.js";

/** Interfaces whose processes can say where a request is; "Python" while it is not known which. */
const TELLING = ["WSGI", "ASGI", "Python"];
/** Phases in which code of the application runs for a request. */
const INSIDE = ["application", "writing", "websocket"];

/** Rows by request: one that stays keeps its button, and so the focus. */
const rows = new Map();
let parts;

export function makeRequests() {
  parts = {
    total: h("p", { class: "dim" }),
    table: table("Requests under way", ["#age", "phase", "app", "request", "#process", ""], []),
    stack: h("section", { id: "stack", hidden: true, "aria-label": "Python stack", tabindex: "-1" }),
  };
  return [h("h2", {}, "Requests under way"), parts.total, parts.table, parts.stack];
}

export function showRequests({ requests: { total, requests }, status }) {
  parts.total.textContent =
    total > requests.length
      ? `${total}, of which the ${requests.length} oldest are shown`
      : total === 0
        ? "none at the moment"
        : `${total}`;
  const telling = tellingApps(status);
  const present = new Map(requests.map((request) => [`${request.serverProcess}-${request.id}`, request]));
  for (const [key, { row }] of rows)
    if (!present.has(key)) {
      row.remove();
      rows.delete(key);
    }
  for (const [key, request] of present) {
    if (!rows.has(key)) rows.set(key, newRow());
    const made = rows.get(key);
    made.request = request;
    fill(made, telling.has(request.app) && INSIDE.includes(request.phase));
    if (!made.row.isConnected) parts.table.body.append(made.row);
  }
}

const tellingApps = ({ serverProcesses }) =>
  new Set(
    serverProcesses.flatMap(({ apps }) =>
      Object.entries(apps).flatMap(([name, each]) => (TELLING.includes(each.interface) ? [name] : [])),
    ),
  );

function newRow() {
  const fields = [number(""), h("td"), h("td"), h("td", { class: "code" }), number("")];
  const made = { fields };
  made.button = h("button", { type: "button", click: () => show(made.request) }, "Stack");
  made.row = h("tr", {}, fields, h("td", {}, made.button));
  return made;
}

function fill({ fields, button, request }, canTell) {
  const { age, phase, app, method, target, pid, serverProcess } = request;
  const texts = [milliseconds(age), phase, app, `${method} ${target}`, pid ?? serverProcess ?? "-"];
  for (const [i, text] of texts.entries()) fields[i].textContent = text;
  button.hidden = !canTell;
  button.setAttribute("aria-label", `Stack of ${method} ${target}`);
}

/** Asks the process; a second is the longest that it may take to say. */
async function show(request) {
  const { app, method, target, pid } = request;
  const close = h("button", { type: "button", click: () => (parts.stack.hidden = true) }, "Close");
  const again = h("button", { type: "button", click: () => show(request) }, "Look again");
  const said = h("div", { role: "status" }, `asking process ${pid ?? "of the server"}...`);
  const head = h("h3", {}, `Where ${method} ${target} is`);
  parts.stack.replaceChildren(head, said, h("div", { class: "row" }, again, close));
  parts.stack.hidden = false;
  parts.stack.focus();
  try {
    said.replaceChildren(...told(await ask("GET", `apps/${encodeURIComponent(app)}/stacks`), request));
  } catch (error) {
    said.replaceChildren(h("p", { class: "failed" }, error.message));
  }
}

function told(processes, { pid, serverProcess, method, target, age }) {
  const process =
    processes.find((each) => each.pid === pid) ?? processes.find((each) => each.pid === serverProcess);
  if (!process) return [h("p", {}, "The request is over, or has left this process.")];
  const same = process.requests.filter((each) => each.method === method && each.target.startsWith(target));
  const [found] = same.sort((one, other) => Math.abs(one.age - age) - Math.abs(other.age - age));
  if (process.reason) return [h("p", { class: "failed" }, `Process ${process.pid}: ${process.reason}`)];
  if (!found) return [h("p", {}, "The request is over, or is not among those that the process has told.")];
  if (found.frames.length === 0)
    return [
      h("p", {}, "It waits inside the process, or has just ended: no code of the application runs for it."),
    ];
  return [h("p", { class: "dim" }, `process ${process.pid}, ${PLACES[found.place] ?? ""}`), frames(found)];
}

const PLACES = {
  thread: "in a thread",
  task: "waits on the event loop",
  loop: "holds the event loop: no other task goes on meanwhile",
};

/** As Python writes it, the innermost last. */
const frames = (found) =>
  h(
    "ol",
    { class: "frames" },
    found.frames.map(({ file, line, function: name, source, app }) =>
      h(
        "li",
        { class: app ? "own" : "dim" },
        `${file}:${line} in ${name}`,
        app && h("span", { class: "dim" }, " (your code)"),
        source !== "" && h("code", {}, source),
      ),
    ),
  );
