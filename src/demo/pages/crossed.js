// Panel 2, what crossed the wall: the five facts that every interface has to carry, by the name that this one gives them; what
// only this one has; the bytes beside what they mean; all the rest, folded.
import { h, table } from "./dom.js";
import { heading } from "./halves.js";
import { ONLY } from "./notes.js";
import { wire } from "./wire.js";

const FACTS = [
  ["method", "method"],
  ["path", "path"],
  ["mount", "mount"],
  ["query", "query"],
  ["headers", "header fields"],
  ["body", "body"],
];

/** `beside`: the door and the recording to compare with; `compare`: what can be chosen. */
export function crossed(door, view, beside, compare) {
  const select = h(
    "select",
    { id: "compare-with", change: ({ target }) => compare.choose(target.value) },
    h("option", { value: "" }, "no other door"),
    compare.doors
      .filter(({ id, available }) => available && id !== door.id)
      .map(({ id, name }) => h("option", { value: id, selected: id === compare.chosen }, name)),
  );
  const root = h(
    "section",
    { class: "card", id: "crossed", "aria-labelledby": "crossed-title" },
    heading(2, "What crossed the wall", "crossed-title", door),
    h("p", {}, view.handover ? `${sentence(view.handover.carrier)}.` : unasked(view)),
  );
  if (!view.handover) return root;
  const shown = [messages(door, view), ...(beside ? [messages(beside.door, beside.view)] : [])];
  root.append(
    h("div", { class: "row" }, h("label", { for: "compare-with" }, "Compare with"), select),
    h("h3", {}, "The facts that every interface has to carry"),
    facts(door, view, beside, shown[0]),
    h(
      "p",
      { class: "dim hint" },
      "Point at a row, and its bytes light up; point at a byte, and its row does.",
    ),
    h(
      "div",
      { class: beside ? "two" : "one" },
      shown.map(({ element }) => element),
    ),
    h("h3", {}, `What only ${door.name} has`),
    only(door, view),
    ...(beside ? [h("h3", {}, `What only ${beside.door.name} has`), only(beside.door, beside.view)] : []),
    rest(door, view),
  );
  return root;
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1);
const unasked = ({ error }) =>
  `Nothing: the server answered by itself${error ? ` (${error})` : ""}, and the application was not asked.`;

/** Rows of facts; pointing at one lights its bytes. */
function facts(door, view, beside, shown) {
  const columns = beside
    ? ["fact", `in ${door.name}`, "value", `in ${beside.door.name}`, "value there"]
    : ["fact", `its name in ${door.name}`, "value here"];
  const rows = FACTS.map(([key, title]) => {
    const name = door.facts[key];
    const cells = [
      h("td", { class: "code strong" }, name),
      h("td", { class: "code" }, valueHere(view, key, name)),
    ];
    if (beside) {
      const other = beside.door.facts[key];
      const differs = other === name ? "code" : "code strong other";
      cells.push(
        h("td", { class: differs }, other),
        h("td", { class: "code" }, valueHere(beside.view, key, other)),
      );
    }
    const light = () => shown.light(name, key);
    return h(
      "tr",
      {
        "data-fact": key,
        class: beside && beside.door.facts[key] !== name ? "differs" : false,
        pointerenter: light,
        click: light,
      },
      h("th", { scope: "row" }, title),
      cells,
    );
  });
  return table("The facts", columns, rows);
}

/** The value of a fact among those that were handed over. */
function valueHere({ handover: { values, body } = { values: [], body: {} }, request }, key, name) {
  if (key === "body") return body.value;
  if (key === "headers") return headersOf(request.headers);
  const words = name.split(/[^\w.]+/);
  const found = values.find((each) => each.name === name) ?? values.find((each) => words.includes(each.name));
  if (found === undefined) return "-";
  return found.value === "" ? "(empty)" : found.value;
}

function headersOf(headers) {
  const names = headers.filter((_, i) => i % 2 === 0);
  const few = names.slice(0, 3).join(", ");
  return names.length > 3 ? `${few} and ${names.length - 3} more` : few || "(none)";
}

function only({ interface: named }, { handover }) {
  const { names, text } = ONLY[named];
  const values = (handover?.values ?? []).filter(({ name }) => names.test(name));
  return h(
    "div",
    { class: "only" },
    h("p", {}, text),
    values.length > 0
      ? h(
          "ul",
          { class: "chips" },
          values.map(({ name, value }) => h("li", {}, h("b", {}, name), ` ${value}`)),
        )
      : [],
  );
}

/** The bytes beside what they mean; `light(name, key)` shows where a fact is. */
function messages({ name, wall }, { handover: { messages: sent }, request }) {
  const views = sent.map((message) => {
    const title = message.name.includes(name) ? message.name : `${name}: ${message.name}`;
    return { title, view: wire(title, message.bytes, message.fields, { brief: true }) };
  });
  const why =
    wall === "call" && sent.length === 0
      ? "No bytes cross: the server passes objects to a function in its own process."
      : request.body.cut
        ? "Only the beginning of the body was kept, so there are no bytes to show."
        : "No bytes are known.";
  const element = h(
    "div",
    { class: "messages" },
    views.map(({ title, view }) => [h("h3", {}, title), view]),
    views.length === 0 ? [h("h3", {}, name), h("p", {}, why), callOf(request)] : [],
  );
  const light = (fact, key) => views.some(({ view }) => view.light((field) => means(field, fact, key)));
  return { element, light };
}

/** Whether a field of the bytes is the fact. */
function means({ name, value }, fact, key) {
  if (key === "body")
    return /^(body|standard input)$/.test(name) || (name === "record" && /^STDIN/.test(value));
  if (key === "headers") return name === "headers" || name.startsWith("HTTP_");
  return name === fact || name === `${fact} ` || name === `'${fact}'`;
}

/** What an interface of objects passes, as somebody would write it. */
function callOf({ method, url, headers }) {
  const lines = headers.flatMap((name, i) =>
    i % 2 === 0 ? [`    ${JSON.stringify(name)}: ${JSON.stringify(headers[i + 1])},`] : [],
  );
  const text = `${method} ${url}\n{\n${lines.join("\n")}\n}`;
  return h(
    "pre",
    { class: "call", tabindex: "0", role: "region", "aria-label": "The request as an object" },
    text,
  );
}

function rest({ name }, { handover: { values, body } }) {
  const row = ({ name: called, value, from }) =>
    h(
      "tr",
      {},
      h("td", { class: "code" }, called),
      h("td", { class: "code" }, value),
      h("td", { class: "dim" }, from),
    );
  return h(
    "details",
    {},
    h("summary", {}, `All ${values.length + 1} values, and where each comes from`),
    table(
      `All that ${name} hands over`,
      ["name", "value", "where it comes from"],
      [...values, body].map(row),
    ),
  );
}
