// Bytes beside what they mean: a row lights its bytes, a byte lights its row. With the pointer, and with the arrow keys in
// either half.
import { h } from "./dom.js";

/** Bytes that are shown; beyond them the fields still are. */
const SHOWN = 4_096;
/** Bytes of a line, where there is room. */
const perLine = () => (matchMedia("(max-width: 40rem)").matches ? 8 : 16);
/** Rows of fields. */
const MOST_ROWS = 1_000;

/**
 * `label` names it; `base64` are the bytes and `fields` what they mean (src/wire/fields.ts). `brief`: what is inside of a
 * name with its value is hidden until it is asked for. `light(means)` of the element lights the first field that `means` is true of, and says
 * whether there is one.
 */
export function wire(label, base64, fields, { brief = false } = {}) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const flat = flatten(fields, 0).slice(0, MOST_ROWS);
  const rows = flat.map((field, i) => row(field, i));
  const cells = [];
  const count = perLine();
  const dump = h(
    "div",
    {
      class: "bytes",
      tabindex: "0",
      role: "group",
      "aria-label": `${label}, bytes: arrow keys go through them`,
    },
    lines(bytes, cells, count),
  );
  const list = h(
    "ul",
    { class: "fields", role: "listbox", "aria-label": `${label}, fields: arrow keys go through them` },
    rows,
  );
  const said = h(
    "p",
    { class: "dim", role: "status" },
    bytes.length > SHOWN ? `the first ${SHOWN} of ${bytes.length} bytes are shown` : `${bytes.length} bytes`,
  );
  const lit = new Lit({ flat, rows, cells, said, count });
  list.addEventListener("pointerover", ({ target }) => lit.field(rows.indexOf(target.closest("li")), dump));
  list.addEventListener(
    "click",
    ({ target }) => rows.indexOf(target.closest("li")) >= 0 && target.closest("li").focus(),
  );
  list.addEventListener("focusin", ({ target }) => lit.field(rows.indexOf(target), dump));
  list.addEventListener("keydown", (event) => move(event, rows));
  dump.addEventListener(
    "pointerover",
    ({ target }) => target.dataset.at && lit.byte(Number(target.dataset.at), list),
  );
  dump.addEventListener("keydown", (event) => lit.moveByte(event, list));
  const deep = rows.filter((_, i) => brief && flat[i].isDeep);
  const hide = (hidden) => {
    for (const each of deep) each.hidden = hidden;
  };
  hide(true);
  const all = h("input", { type: "checkbox", change: ({ target }) => hide(!target.checked) });
  const foot = deep.length > 0 ? h("label", { class: "every" }, all, " every length and type") : undefined;
  const light = (means) => lit.first(means, dump, list);
  const halves = flat.length > 0 ? h("div", { class: "wire" }, list, dump) : dump;
  return Object.assign(h("div", {}, halves, said, foot), { light });
}

const flatten = (fields, level, isDeep = false) =>
  fields.flatMap((field) => {
    const inner = field.fields ?? [];
    const isPair = inner.some(({ name }) => name === "value");
    return [{ ...field, level, isDeep }, ...flatten(inner, level + 1, isDeep || isPair)];
  });

const row = ({ name, value, level }, i) =>
  h(
    "li",
    {
      role: "option",
      tabindex: i === 0 ? "0" : "-1",
      "aria-selected": "false",
      "data-level": Math.min(level, 3),
    },
    h("b", {}, name),
    h("span", {}, value === "" ? "" : ` ${value}`),
  );

/** `count` bytes a line; `cells` gets the two elements of each byte. */
function lines(bytes, cells, count) {
  const found = [];
  const end = Math.min(bytes.length, SHOWN);
  for (let from = 0; from < end; from += count) {
    const hex = [];
    const text = [];
    for (let at = from; at < Math.min(from + count, end); at++) {
      const byte = bytes[at];
      hex.push(h("i", { "data-at": at }, byte.toString(16).padStart(2, "0")), " ");
      text.push(h("i", { "data-at": at }, byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·"));
      cells.push([hex.at(-2), text.at(-1)]);
    }
    const gap = "   ".repeat(count - text.length);
    found.push(
      h(
        "div",
        {},
        h("span", { class: "dim" }, `${from.toString(16).padStart(4, "0")}  `),
        hex,
        `${gap} `,
        text,
      ),
    );
  }
  return found;
}

function move(event, all) {
  const rows = all.filter(({ hidden }) => !hidden);
  const at = rows.indexOf(document.activeElement);
  const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 };
  const next = rows[steps[event.key]];
  if (!next) return;
  event.preventDefault();
  for (const each of rows) each.tabIndex = each === next ? 0 : -1;
  next.focus();
}

/** What is lit at the moment. */
class Lit {
  #elements = [];
  #byte = 0;

  constructor(parts) {
    Object.assign(this, parts);
  }

  field(i, dump) {
    const found = this.flat[i];
    if (!found) return;
    this.#light(i, found.from, found.to);
    this.#byte = found.from;
    this.said.textContent = `${found.name}: bytes ${found.from} to ${found.to - 1}`;
    scrollInto(this.cells[found.from]?.[0], dump);
  }

  first(means, dump, list) {
    const i = this.flat.findIndex(means);
    this.field(i, dump);
    scrollInto(this.rows[i], list);
    return i >= 0;
  }

  /** The innermost field that is shown and has the byte. */
  byte(at, list) {
    this.#byte = at;
    const i = this.flat.findLastIndex(({ from, to }, row) => from <= at && at < to && !this.rows[row].hidden);
    const found = this.flat[i];
    this.#light(i, found?.from ?? at, found?.to ?? at + 1);
    this.said.textContent = `byte ${at} is 0x${this.cells[at]?.[0].textContent}${found ? `, in ${found.name} ${found.value}` : ""}`;
    scrollInto(this.rows[i], list);
  }

  moveByte(event, list) {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.count, ArrowUp: -this.count }[event.key];
    if (!step || !this.cells[this.#byte + step]) return;
    event.preventDefault();
    this.byte(this.#byte + step, list);
    scrollInto(this.cells[this.#byte][0], event.currentTarget);
  }

  #light(i, from, to) {
    for (const element of this.#elements) element.classList.remove("lit");
    for (const row of this.rows) row.setAttribute("aria-selected", "false");
    this.rows[i]?.setAttribute("aria-selected", "true");
    this.#elements = [this.rows[i], ...this.cells.slice(from, to).flat()].filter(Boolean);
    for (const element of this.#elements) element.classList.add("lit");
  }
}

/** Within its box only: the page stays where it is. */
function scrollInto(element, box) {
  if (!element) return;
  const [inner, outer] = [element.getBoundingClientRect(), box.getBoundingClientRect()];
  if (inner.top < outer.top) box.scrollTop -= outer.top - inner.top + 20;
  else if (inner.bottom > outer.bottom) box.scrollTop += inner.bottom - outer.bottom + 20;
}
