// The way of one request: browser, server, wall, application, and what passes between them from top to bottom.
import { arrow, drawing, line, MARGIN, rect, text, WIDTH, wrapped } from "./svg.mjs";

const X = { browser: 48, server: 156, application: 312 };
const WALL = 234;
const HEAD = 56;
const BOX = { width: 80, height: 32 };
const LINE = 14;
/** Characters of a text above its arrow, and about how wide each is. */
const CHARACTERS = 46;
const CHARACTER = 6.4;

/**
 * `steps` in order: `[from, to, words]`, a message; `["application", "begins", "ends" or "stays", words]`. `wall`: what it is that
 * stands between the two halves. The application's line is there from the beginning unless a step begins it.
 */
export function wayDrawing({ title, wall, steps }) {
  const parts = [];
  let top = HEAD + 12;
  let begun = steps.some(([, event]) => event === "begins") ? undefined : HEAD;
  let ended;
  for (const [from, to, words] of steps) {
    if (to === "begins") {
      begun = top + BOX.height;
      parts.push(box("application", top, "application"), note(words, X.application - 46, top + 20));
      top += BOX.height + 14;
    } else if (to === "ends") {
      ended = top + 6;
      parts.push(cross(X.application, ended), note(words, X.application - 12, ended + 4));
      top += 26;
    } else if (to === "stays") {
      parts.push(label(WIDTH - MARGIN, top + 11, words, "dim right"));
      top += 20;
    } else top = message(parts, from, to, words, top);
  }
  const bottom = top;
  const lives = [
    life("browser", HEAD, bottom),
    life("server", HEAD, bottom),
    life("application", begun, ended ?? bottom),
  ];
  const heads = [box("browser", HEAD - 32, "browser"), box("server", HEAD - 32, "server")];
  if (begun === HEAD) heads.push(box("application", HEAD - 32, "application"));
  const wallParts = [rect(WALL - 3, 20, 6, bottom - 20, "wall", 2), text(WALL, 15, wall, "dim middle")];
  const description = `${steps.map(inWords).join(" ")} Between server and application: ${wall}.`;
  const all = [...wallParts, ...lives, ...heads, ...parts];
  return drawing({ title, description, height: bottom + MARGIN, parts: all });
}

function box(who, top, words) {
  const x = X[who];
  return (
    rect(x - BOX.width / 2, top, BOX.width, BOX.height, "box", 5) +
    text(x, top + 20, words, "ink middle bold")
  );
}

const life = (who, from, to) => line(X[who], from, X[who], to);

const cross = (x, y) => line(x - 6, y - 6, x + 6, y + 6) + line(x - 6, y + 6, x + 6, y - 6);

const note = (words, x, y) => label(x, y, words, "dim right");

/** A text on the page's own colour, so that no line runs through it; `x` is its left end, or with the class `right` its right end. */
function label(x, y, words, classes) {
  const width = words.length * CHARACTER;
  const left = /right/.test(classes) ? x - width : x;
  return rect(left - 2, y - 11, width + 4, LINE, "page", 0) + text(x, y, words, classes);
}

/** An arrow, and above it what passes. */
function message(parts, from, to, words, top) {
  const lines = words.split("\n").flatMap((one) => wrapped(one, CHARACTERS));
  const isRight = from === "application" || to === "application";
  for (const [i, one] of lines.entries()) {
    const y = top + 11 + i * LINE;
    parts.push(isRight ? label(WIDTH - MARGIN, y, one, "ink right") : label(MARGIN, y, one, "ink"));
  }
  const y = top + lines.length * LINE + 5;
  const inset = X[to] > X[from] ? -2 : 2;
  parts.push(arrow(X[from], X[to] + inset, y));
  return y + 12;
}

function inWords([from, to, words]) {
  if (["begins", "ends", "stays"].includes(to)) return `The application ${to}: ${words}.`;
  return `From ${from} to ${to}: ${words.replaceAll("\n", ", ")}.`;
}
