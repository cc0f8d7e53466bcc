// Panel 1, the way of one request: the drawing in which it runs, each section true to scale, and what is known of the process
// that answered. Everything is drawn from what was measured.

import { age, bytes, h, milliseconds } from "./dom.js";
import { WALLS } from "./doors.js";
import { drawing } from "./drawing.js";
import { heading } from "./halves.js";
import { WAY } from "./notes.js";
import { sectionsOf } from "./sequence.js";

const wantsMotion = () => !matchMedia("(prefers-reduced-motion: reduce)").matches;

/** `recorded`: what was recorded of the other doors, which are drawn on the same scale. */
export function theWay(door, view, { recorded, doors }) {
  const place = h("div", { class: "drawing" });
  const ribbon = ribbonOf(view, door);
  const again = h(
    "button",
    { type: "button", id: "again", click: () => drawn?.play(ribbon.mark) },
    "Play it again",
  );
  let drawn;
  let width = 0;
  new ResizeObserver(([{ contentRect }]) => {
    if (Math.round(contentRect.width) === width || contentRect.width === 0) return;
    const isFirst = width === 0;
    width = Math.round(contentRect.width);
    drawn = drawing(door, view, width);
    place.replaceChildren(drawn.element);
    again.hidden = !wantsMotion();
    if (isFirst && wantsMotion()) drawn.play(ribbon.mark);
  }).observe(place);
  return h(
    "section",
    { class: `card wall-${door.wall}`, id: "way", "aria-labelledby": "way-title" },
    heading(1, "The way", "way-title", door),
    h("p", {}, `Between the two halves: ${WALLS[door.wall]}. `, WAY[door.id] ?? door.reason),
    place,
    h("div", { class: "row ribbon-head" }, [
      h("b", {}, `${milliseconds(view.duration)} in the server`),
      h("span", { class: "dim" }, "each section is as long as the time it took"),
      again,
    ]),
    ribbon.element,
    view.first === undefined || view.first < view.duration
      ? []
      : h(
          "p",
          { class: "first" },
          `This is the second request that the process has answered. Its first one, a moment ago, took ${milliseconds(view.first)}: a start is paid for once, not for each request.`,
        ),
    h("div", { class: "columns" }, processTiles(door, view), scale(door, recorded, doors)),
  );
}

/** A bar whose sections are true to scale, and the same as a list; `mark` runs along it. */
function ribbonOf(view, { wall }) {
  const sections = sectionsOf(view);
  const mark = h("i", { class: "mark" });
  const bar = h(
    "div",
    { class: "ribbon", "aria-hidden": "true" },
    sections.map(({ name, from, to }) => {
      const part = h("i", { class: `s-${name}` });
      part.style.flexGrow = to - from;
      return part;
    }),
    mark,
  );
  const list = h(
    "ol",
    { class: "sections" },
    sections.map(({ name, meaning, from, to }) =>
      h(
        "li",
        {},
        h("i", { class: `dot s-${name}` }),
        h("b", {}, `${name} ${milliseconds(to - from)} `),
        h("span", { class: "dim" }, meaning),
      ),
    ),
    view.steps.queued === undefined && wall !== "call"
      ? h("li", { class: "dim" }, "queue: none, the application had room at once")
      : [],
  );
  return { mark, element: h("div", {}, bar, list) };
}

/** What is known of the process that had the request. */
function processTiles({ wall }, { process }) {
  if (!process)
    return h(
      "p",
      { class: "dim" },
      "No process of its own: the application runs inside the server's process.",
    );
  const { pid, age: seconds, answered, started, memory } = process;
  const tiles = [
    [wall === "call" ? "process (the server's own)" : "process", pid],
    ["requests this process has answered", answered],
    ["processes this door has started", started],
    ["age of the process", wall === "process" ? "new" : age(seconds * 1000)],
    ["memory", memory === undefined || memory === null ? "gone with it" : bytes(memory)],
  ];
  return h(
    "dl",
    { class: "tiles" },
    tiles.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, `${value ?? "-"}`))),
  );
}

/** All doors that were asked, on one scale. */
function scale(door, recorded, doors) {
  const asked = doors.filter(({ id }) => recorded.has(id));
  const most = Math.max(...asked.map(({ id }) => recorded.get(id).duration));
  const row = ({ id, name, wall }) => {
    const { duration } = recorded.get(id);
    const bar = h("i", { class: `bar-${wall}`, "aria-hidden": "true" });
    bar.style.inlineSize = `${(duration / most) * 100}%`;
    return h(
      "li",
      { class: id === door.id ? "here" : false },
      h("span", {}, name),
      h("span", { class: "track" }, bar),
      h("span", { class: "n" }, milliseconds(duration)),
    );
  };
  return h(
    "div",
    {},
    h("h3", {}, "The doors you have asked, on one scale"),
    h("ul", { class: "scale" }, asked.map(row)),
    asked.length < 2 ? h("p", { class: "dim" }, "Open another door to compare.") : [],
  );
}
