// Drawings as SVG: light and dark by the reader's choice, readable at 360 pixels, with a title and a description for those who
// do not see them.

export const WIDTH = 360;
export const MARGIN = 8;

/** Colours of the fields: what they mean, in light, in dark. Text on them has a contrast of at least 4.5. */
export const KINDS = {
  head: ["fields of the protocol", "#e4d9ff", "#47307a"],
  id: ["the request it belongs to", "#ffd9a0", "#7a4a00"],
  length: ["a length", "#ffe9c2", "#574318"],
  name: ["a name", "#cfe3ff", "#1d4275"],
  value: ["a value", "#d3f2d0", "#1f5230"],
  end: ["a separator", "#e3e6ea", "#3b424b"],
  body: ["the content, the body", "#ffd6e3", "#702744"],
};

const rules = (index) =>
  Object.entries(KINDS)
    .map(([kind, colours]) => `.${kind}{fill:${colours[index]}}`)
    .join("");

const STYLE = `
.page{fill:#fff}.ink{fill:#1c2024}.dim{fill:#56606a}.line{stroke:#69737d}.box{fill:#f2f4f7;stroke:#69737d}.wall{fill:#c9ced6}
${rules(1)}
text{font:12px system-ui,sans-serif}.mono,.cell,.hex{font-family:ui-monospace,Menlo,Consolas,monospace}.mono{font-size:11px}
.cell{font-size:12px;text-anchor:middle}.hex{font-size:9.5px;text-anchor:middle}.bold{font-weight:600}
.middle{text-anchor:middle}.right{text-anchor:end}
@media(prefers-color-scheme:dark){
.page{fill:#15181c}.ink{fill:#f1f3f5}.dim{fill:#a9b2bc}.line{stroke:#8b95a0}.box{fill:#23282f;stroke:#8b95a0}.wall{fill:#454d57}
${rules(2)}}
`.replaceAll("\n", "");

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
export const escaped = (text) => text.replace(/[&<>"]/g, (character) => ESCAPES[character]);

const round = (number) => `${Math.round(number * 10) / 10}`;

export const text = (x, y, words, classes = "ink") =>
  `<text x="${round(x)}" y="${round(y)}" class="${classes}">${escaped(words)}</text>`;

export const rect = (x, y, width, height, classes, radius = 3) =>
  `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="${radius}" class="${classes}"/>`;

export const line = (x1, y1, x2, y2, dashes = "") =>
  `<path d="M${round(x1)} ${round(y1)}L${round(x2)} ${round(y2)}" class="line" fill="none"${dashes && ` stroke-dasharray="${dashes}"`}/>`;

/** An arrow along a line of the page, with its head at `x2`. */
export function arrow(x1, x2, y) {
  const back = x2 > x1 ? -6 : 6;
  const head = `<path d="M${round(x2)} ${round(y)}l${back} -4v8z" class="line dim"/>`;
  return line(x1, y, x2 + back / 2, y) + head;
}

/** A whole drawing. `description` says in words what is drawn. */
export function drawing({ title, description, height, parts }) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${Math.ceil(height)}" width="480" role="img" aria-labelledby="t d">
<title id="t">${escaped(title)}</title>
<desc id="d">${escaped(description)}</desc>
<style>${STYLE}</style>
<rect width="${WIDTH}" height="${Math.ceil(height)}" class="page"/>
${parts.join("\n")}
</svg>
`;
}

/** Words as lines of at most `size` characters; long ones are cut. */
export function wrapped(words, size) {
  const lines = [""];
  for (const word of words.split(/(?<= )/)) {
    const last = lines.at(-1);
    if (last !== "" && (last + word.trimEnd()).length > size) lines.push(word);
    else lines[lines.length - 1] = last + word;
  }
  return lines.flatMap((one) => one.trimEnd().match(new RegExp(`.{1,${size}}`, "g")) ?? []);
}
