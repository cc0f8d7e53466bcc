// Makes elements, and writes figures with their units.

/** `h("td", { class: "n" }, "text", child)`; functions in the attributes are listeners. */
export function h(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== undefined && child !== false));
  return element;
}

/** A table in a box that scrolls by itself, and can be reached with the keyboard for that. `n`: columns of numbers. */
export function table(label, columns, rows) {
  const body = h("tbody", {}, rows);
  const head = columns.map((column) =>
    column === ""
      ? h("td")
      : h("th", { scope: "col", class: column.startsWith("#") ? "n" : false }, column.replace("#", "")),
  );
  const element = h("table", {}, h("thead", {}, h("tr", {}, head)), body);
  return Object.assign(
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, element),
    { body },
  );
}

export const cells = (...texts) =>
  texts.map((text) => h("td", { class: typeof text === "number" ? "n" : false }, `${text}`));
export const number = (text) => h("td", { class: "n" }, `${text}`);

export function milliseconds(value) {
  if (value === undefined || value === null) return "-";
  if (value < 1) return `${value.toFixed(3)} ms`;
  if (value < 100) return `${value.toFixed(2)} ms`;
  return value < 10_000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

export function bytes(value) {
  if (value === undefined) return "-";
  if (value < 10_000) return `${value} B`;
  return value < 10_000_000 ? `${(value / 1024).toFixed(1)} KiB` : `${(value / 1_048_576).toFixed(1)} MiB`;
}

/** "2 h 5 min". */
export function age(value) {
  const parts = [];
  let seconds = Math.max(0, Math.floor(value / 1000));
  for (const [unit, size] of [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
    ["s", 1],
  ]) {
    if (seconds >= size) parts.push(`${Math.floor(seconds / size)} ${unit}`);
    seconds %= size;
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

export const clock = (at) => new Date(at).toLocaleTimeString();

/** Names of the classes of colours, by class of a status: "c2", "c0" for none. */
export const CLASSES = ["2xx", "3xx", "4xx", "5xx", "none"];
export const colour = (name) => (name === "none" || name === "1xx" ? "c0" : `c${name[0]}`);
export const tone = (status) =>
  ({ 2: "good", 3: "moved", 4: "client", 5: "failed" })[Math.floor(status / 100)] ?? "dim";
