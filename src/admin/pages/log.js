// The last lines of the log of all processes, live while the dashboard is seen.
import { ask } from "./api.js";
import { h } from "./dom.js";

const LEVELS = ["debug", "info", "warn", "error"];
/** Lines that are kept here. */
const MOST = 500;

/** By process and number. */
const seen = new Map();
let last = 0;
let asking = false;
let parts;

export function makeLog() {
  const option = (level) => h("option", { value: level }, level === "debug" ? "all" : `${level} and above`);
  const select = h("select", { id: "level", change: draw }, LEVELS.map(option));
  const list = h("ol", { class: "log" });
  const box = h("div", { class: "scroll tail", tabindex: "0", role: "region", "aria-label": "Log" }, list);
  parts = { select, list, box };
  return [h("h2", {}, "Log"), h("div", { class: "row" }, h("label", {}, "Levels ", select)), box];
}

/** What is new since the last time; a page in the background, or one that shows something else, does not ask. */
export async function readLog() {
  if (asking || document.hidden || parts.box.closest("[hidden]")) return;
  asking = true;
  try {
    const { lines } = await ask("GET", `log?since=${last}`);
    const before = seen.size;
    for (const line of lines) seen.set(`${line.pid}-${line.id}`, line);
    last = Math.max(last, ...lines.map(({ at }) => at));
    if (seen.size > before) draw();
  } catch {
    // The live data, which come from the same place, say so.
  } finally {
    asking = false;
  }
}

function draw() {
  for (const key of seen.keys()) if (seen.size > MOST) seen.delete(key);
  const least = LEVELS.indexOf(parts.select.value);
  const shown = [...seen.values()].filter(({ level }) => LEVELS.indexOf(level) >= least);
  shown.sort((one, other) => one.at - other.at);
  const { box } = parts;
  const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 5;
  parts.list.replaceChildren(...shown.map(item));
  if (shown.length === 0) parts.list.append(h("li", { class: "dim" }, "nothing of this level yet"));
  if (atEnd) box.scrollTop = box.scrollHeight;
}

const item = ({ pid, level, text }) =>
  h("li", { "data-level": level }, h("span", { class: "dim" }, `${pid} `), text);
