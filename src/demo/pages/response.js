// Panel 3, what came back: the answer of the application, decoded beside its bytes, with the moments at which it came; what the
// browser got; the application beside it.
import { bytes, h, milliseconds, table, tone } from "./dom.js";
import { codeOf, heading } from "./halves.js";
import { BACK } from "./notes.js";
import { wire } from "./wire.js";

/** Moments that are listed. */
const MOMENTS = 50;

export function cameBack(door, view) {
  const { answer, response, browser, error } = view;
  const output = h(
    "div",
    {},
    h("h3", {}, "What the browser got: ", h("span", { class: tone(browser.status) }, `${browser.status}`)),
    error ? h("p", { class: "bad" }, `The server reported ${error}.`) : [],
    h(
      "pre",
      { class: "output", tabindex: "0", role: "region", "aria-label": "What the browser got" },
      browser.text || "(an empty body)",
    ),
    response
      ? h("details", {}, h("summary", {}, "Header fields of the response"), fieldsTable(response))
      : [],
    moments(view),
  );
  return h(
    "section",
    { class: "card", id: "back", "aria-labelledby": "back-title" },
    heading(3, "What came back", "back-title", door),
    h("p", {}, BACK[door.interface]),
    answer.size > 0
      ? [
          h("h3", {}, "The application's answer"),
          wire("The application's answer", answer.bytes, answer.fields, { brief: true }),
        ]
      : [],
    h("div", { class: "two" }, output, h("div", {}, codeOf(door))),
  );
}

const fieldsTable = ({ headers }) =>
  table(
    "Header fields of the response",
    ["name", "value"],
    headers.flatMap((name, i) =>
      i % 2 === 0
        ? h("tr", {}, h("td", { class: "code" }, name), h("td", { class: "code" }, headers[i + 1]))
        : [],
    ),
  );

/** When each piece came, counted from the moment at which the server had read the request. */
function moments({ answer, response, steps }) {
  const pieces = [
    ...answer.pieces.map(({ at, size }) => [at, `${bytes(size)} came from the application`]),
    ...(steps.head === undefined ? [] : [[steps.head, "the head of the response was complete"]]),
    ...(response?.body.pieces ?? []).map(({ at, size }) => [
      at,
      `${bytes(size)} of body went to the browser`,
    ]),
    ...(steps.ended === undefined ? [] : [[steps.ended, "the response was complete"]]),
  ].sort(([one], [other]) => one - other);
  return [
    h("h3", {}, "When"),
    h(
      "ol",
      { class: "moments" },
      pieces
        .slice(0, MOMENTS)
        .map(([at, what]) => h("li", {}, h("span", { class: "n" }, milliseconds(at)), what)),
    ),
  ];
}
