// The inspector: captures on and off, the list of what was captured, one request as it crossed the gateway, and two of them
// side by side.
import { ask, askText } from "./api.js";
import { bytes, cells, clock, h, milliseconds, table, tone } from "./dom.js";
import { sequence } from "./sequence.js";
import { wire } from "./wire.js";

let parts;
let tell;
let seen;
let apps = [];
let recordings = [];
/** Id of the recording that is shown, and of the one beside it. */
let [chosen, beside] = [undefined, undefined];

export function makeInspector(root, notice) {
  tell = notice;
  parts = {
    toggle: h(
      "button",
      { type: "button", id: "capture", "aria-pressed": "false", click: () => attempt(toggle) },
      "Capture",
    ),
    left: h("span", { class: "dim" }),
    list: h("ol", { class: "list", "aria-label": "Captured requests, the latest first" }),
    view: h("div", { id: "view" }),
  };
  const forget = h("button", { type: "button", click: () => attempt(forgetAll) }, "Forget all");
  root.replaceChildren(
    h("h2", {}, "Captured requests"),
    h(
      "p",
      { class: "dim" },
      "The last 200 of each server process, 64 KiB of each body. Authorization, cookies and other secrets are masked. It ends by itself after ten minutes.",
    ),
    h("div", { class: "row" }, parts.toggle, forget, parts.left),
    parts.list,
    parts.view,
  );
}

/** From the live data: reads the list again when it has changed. */
export function noticeCaptures({ captures, status }) {
  apps = [...new Set(status.serverProcesses.flatMap((each) => Object.keys(each.apps)))];
  showState(captures);
  if (captures.state === seen) return;
  seen = captures.state;
  void attempt(refresh);
}

function showState({ on, left }) {
  parts.toggle.setAttribute("aria-pressed", `${on}`);
  parts.toggle.textContent = on ? "Capturing: stop" : "Capture";
  parts.left.textContent = on ? `ends by itself in ${Math.ceil(left / 60_000)} min` : "off";
}

async function attempt(act) {
  try {
    await act();
  } catch (error) {
    tell(error.message, true);
  }
}

async function toggle() {
  const on = parts.toggle.getAttribute("aria-pressed") !== "true";
  showList(await ask("POST", "captures", { on }));
}

async function forgetAll() {
  showList(await ask("DELETE", "captures"));
  [chosen, beside] = [undefined, undefined];
  parts.view.replaceChildren();
}

const refresh = async () => showList(await ask("GET", "captures"));

/** Buttons that stay keep the focus. */
function showList(state) {
  showState(state);
  recordings = state.recordings;
  const present = new Map([...parts.list.children].map((item) => [item.dataset.id, item]));
  const items = recordings.map((recording) => {
    const item = present.get(recording.id) ?? itemOf(recording.id);
    item.firstChild.replaceChildren(...lineOf(recording));
    return item;
  });
  const focused = document.activeElement;
  parts.list.replaceChildren(...items);
  if (focused?.isConnected && parts.list.contains(focused)) focused.focus();
  if (items.length === 0)
    parts.list.append(
      h(
        "li",
        { class: "dim" },
        state.on ? "nothing yet: send a request" : "nothing: start to capture, then send a request",
      ),
    );
}

function itemOf(id) {
  const pick = h("button", { type: "button", click: () => attempt(() => choose(id)) });
  return h("li", { "data-id": id }, pick);
}

const lineOf = ({ at, app, method, target, status, error, duration, bytes: size, over, replayOf }) => [
  h("span", { class: `status ${tone(status)}` }, over ? `${status || error || "cut"}` : "…"),
  ` ${method} ${target} `,
  h(
    "span",
    { class: "dim" },
    `${app} · ${milliseconds(duration)} · ${bytes(size)} · ${clock(at)}${replayOf ? " · replayed" : ""}`,
  ),
];

async function choose(id, other) {
  [chosen, beside] = [id, other];
  for (const { dataset, firstChild } of parts.list.children) {
    if (dataset.id === id) firstChild.setAttribute("aria-current", "true");
    else firstChild.removeAttribute?.("aria-current");
  }
  const view = await ask("GET", `captures/${id}`);
  const second = other && (await ask("GET", `captures/${other}`));
  if (chosen !== id || beside !== other) return;
  parts.view.replaceChildren(...(second ? compared(view, second) : single(view)));
}

function single(view) {
  return [...heading(view), h("h3", {}, "The way"), sequence(view), ...crossed(view), ...back(view)];
}

function heading(view) {
  const { id, method, target, status, app, interface: named } = view;
  const where = h(
    "select",
    { id: "replay-app" },
    apps.map((name) => h("option", { value: name, selected: name === app }, name)),
  );
  const replayButton = h(
    "button",
    { type: "button", click: () => attempt(() => replay(id, where.value)) },
    "Replay",
  );
  const others = recordings.filter((each) => each.id !== id);
  const other = h(
    "select",
    { id: "compare-with" },
    others.map((each) =>
      h("option", { value: each.id }, `${each.method} ${each.target} (${each.app}, ${clock(each.at)})`),
    ),
  );
  const compare = h(
    "button",
    { type: "button", disabled: others.length === 0, click: () => attempt(() => choose(id, other.value)) },
    "Compare",
  );
  return [
    h(
      "h2",
      { tabindex: "-1" },
      `${method} ${target}: `,
      h("span", { class: tone(status) }, `${status || view.error || "no answer"}`),
    ),
    h(
      "p",
      { class: "dim" },
      `${app}${named ? ` by ${named}` : ", answered by the server itself"}${view.replayOf ? `, a replay of ${view.replayOf}` : ""}${view.error ? `, ${view.error}` : ""}`,
    ),
    h("div", { class: "row" }, [
      h("label", { for: "replay-app" }, "To app"),
      where,
      replayButton,
      h("button", { type: "button", click: () => attempt(() => copy(view.curl)) }, "Copy curl"),
      h("button", { type: "button", click: () => attempt(() => download(id)) }, "Download JSON"),
    ]),
    h("div", { class: "row" }, [h("label", { for: "compare-with" }, "With"), other, compare]),
    h("details", {}, h("summary", {}, "curl"), h("code", {}, view.curl)),
  ];
}

/** What the application was handed: its values with where they come from, and the bytes. */
function crossed({ handover, request }) {
  const fields = h("h3", {}, "What the client sent");
  const sent = [
    fields,
    fieldsTable("Fields of the request", request.headers),
    ...bodyOf("body of the request", request.body),
  ];
  if (!handover)
    return [
      ...sent,
      h("h3", {}, "What crossed"),
      h("p", {}, "Nothing that is known: the server answers itself, or the app is no more."),
    ];
  const values = table(
    "What the application was handed",
    ["name", "value", "from"],
    [...handover.values, handover.body].map(valueRow),
  );
  return [
    ...sent,
    h("h3", {}, "What crossed"),
    h("p", {}, handover.carrier),
    ...handover.messages.flatMap(({ name, bytes: sentBytes, fields: meaning }) => [
      h("h4", {}, name),
      wire(name, sentBytes, meaning),
    ]),
    ...(handover.messages.length === 0 && request.body.cut
      ? [h("p", { class: "dim" }, "No bytes: only the beginning of the body was kept.")]
      : []),
    h("h3", {}, "What the application was handed"),
    values,
  ];
}

const valueRow = ({ name, value, from }) =>
  h(
    "tr",
    {},
    h("td", { class: "code" }, name),
    h("td", { class: "code" }, value),
    h("td", { class: "dim" }, from),
  );

function fieldsTable(label, headers) {
  const rows = headers.flatMap((name, i) =>
    i % 2 === 0
      ? h("tr", {}, h("td", { class: "code" }, name), h("td", { class: "code" }, headers[i + 1]))
      : [],
  );
  return table(label, ["name", "value"], rows);
}

function bodyOf(label, kept) {
  if (kept.size === 0) return [];
  const cut = kept.cut
    ? `; only the first ${bytes(atob(kept.bytes).length)} of ${bytes(kept.size)} are kept`
    : "";
  return [
    h(
      "details",
      {},
      h("summary", {}, `${label}: ${bytes(kept.size)}${cut}`),
      wire(label, kept.bytes, kept.fields),
      piecesOf(kept),
    ),
  ];
}

const piecesOf = ({ pieces }) =>
  h(
    "ol",
    { class: "pieces" },
    pieces.slice(0, 200).map(({ at, size }) => h("li", {}, `at ${milliseconds(at)}: ${bytes(size)}`)),
  );

/** What came back: the application's answer as it came, and the response. */
function back({ answer, response }) {
  const found = [h("h3", {}, "What came back")];
  if (answer.size > 0)
    found.push(
      h("h4", {}, "the application's answer"),
      wire("the application's answer", answer.bytes, answer.fields),
      piecesOf(answer),
    );
  if (!response) return [...found, h("p", {}, "No response.")];
  return [
    ...found,
    fieldsTable("Fields of the response", response.headers),
    ...bodyOf("body of the response", response.body),
  ];
}

async function replay(id, app) {
  const { id: fresh } = await ask("POST", `captures/${id}/replay`, { app });
  let view;
  do {
    await new Promise((resolve) => setTimeout(resolve, 150));
    view = await ask("GET", `captures/${fresh}`);
  } while (!view.over && view.duration < 30_000);
  await refresh();
  tell(`replayed to ${app}: ${view.status || view.error || "not over yet"}, ${milliseconds(view.duration)}`);
  await choose(id, fresh);
}

async function copy(text) {
  await navigator.clipboard.writeText(text);
  tell("the curl command is copied");
}

async function download(id) {
  const url = URL.createObjectURL(
    new Blob([await askText(`captures/${id}.json`)], { type: "application/json" }),
  );
  h("a", { href: url, download: `sallyport-${id}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1_000);
}

/** Two recordings side by side; rows that differ come first. */
function compared(one, other) {
  const rows = [
    ...pairs(factsOf(one), factsOf(other)),
    ...pairs(valuesOf(one), valuesOf(other)),
    ...pairs(fieldsOf(one), fieldsOf(other)),
  ];
  rows.sort((a, b) => b.differs - a.differs);
  const differing = rows.filter(({ differs }) => differs).length;
  const column = (view) => h("section", {}, h("h3", {}, `${view.app}, ${view.id}`), sequence(view));
  return [
    h("h2", { tabindex: "-1" }, `${one.method} ${one.target}: two recordings`),
    h(
      "div",
      { class: "row" },
      h("button", { type: "button", click: () => attempt(() => choose(one.id)) }, "Only the first"),
      h("button", { type: "button", click: () => attempt(() => choose(other.id)) }, "Only the second"),
    ),
    h("div", { class: "columns" }, column(one), column(other)),
    h("p", { id: "differences" }, `${differing} of ${rows.length} differ`),
    table(
      "Two recordings",
      ["", one.id, other.id],
      rows.map(({ name, left, right, differs }) =>
        h(
          "tr",
          { class: differs ? "differs" : false },
          cells(`${differs ? "≠ " : ""}${name}`),
          h("td", { class: "code" }, left),
          h("td", { class: "code" }, right),
        ),
      ),
    ),
  ];
}

function pairs(one, other) {
  const names = [...new Set([...one.keys(), ...other.keys()])];
  return names.map((name) => {
    const [left, right] = [one.get(name) ?? "-", other.get(name) ?? "-"];
    return { name, left, right, differs: Number(left !== right) };
  });
}

const text = (base64) =>
  new TextDecoder()
    .decode(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)))
    .slice(0, 300);

const factsOf = (view) =>
  new Map([
    ["status", `${view.status || "none"}`],
    ["time", milliseconds(view.duration)],
    ["time in the queue", milliseconds(view.phases.queue)],
    ["time in the application", milliseconds(view.phases.application)],
    ["time of writing", milliseconds(view.phases.write)],
    ["process", `${view.pid ?? "-"}`],
    [
      "response body",
      view.response ? `${bytes(view.response.body.size)}: ${text(view.response.body.bytes)}` : "-",
    ],
  ]);

const valuesOf = ({ handover }) =>
  new Map((handover?.values ?? []).map(({ name, value }) => [`handed over: ${name}`, value]));

const fieldsOf = ({ response }) =>
  new Map(
    (response?.headers ?? []).flatMap((name, i, all) =>
      i % 2 === 0 ? [[`response: ${name}`, all[i + 1]]] : [],
    ),
  );
