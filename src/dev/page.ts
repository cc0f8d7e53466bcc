// The page that a browser shows while the application cannot answer: what failed, where, with the application's own frames
// first. All that comes from the application is escaped. The page reloads itself once the application has changed.
// Tested by test/dev/traceback.test.ts.
import type { SallyportError } from "../exchange/index.ts";
import { type Frame, framesOf, type SourceLine, titleOf } from "./traceback.ts";

export interface Failure {
  readonly error: SallyportError;
  /** What failed, for the heading: "app could not be imported", "GET /orders". */
  readonly what: string;
  /** The application's directory: paths are shown from there. */
  readonly directory: string;
  /** The URL of the script that reloads the page. */
  readonly script: string;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? "");

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --mark: #d0342c; --soft: #8881 }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 2rem 1rem }
h1 { font-size: 1.3rem; margin: 0 0 .3rem; overflow-wrap: anywhere }
h2 { font-size: 1rem; margin: 1.5rem 0 .3rem }
p { margin: .3rem 0 } .what { color: GrayText }
pre, code { font: 13px/1.5 ui-monospace, monospace } pre { margin: 0; overflow-x: auto }
.source { border: 1px solid var(--line); border-radius: 6px; padding: .5rem 0 }
.source span { display: block; padding: 0 .8rem; min-width: max-content }
.source b { color: GrayText; display: inline-block; font-weight: normal; min-width: 3rem; user-select: none }
.source .here { background: color-mix(in srgb, var(--mark) 15%, transparent); box-shadow: inset 3px 0 var(--mark) }
details { border-top: 1px solid var(--line); margin-top: 1.5rem; padding-top: .7rem } summary { cursor: pointer }
details pre { background: var(--soft); border-radius: 6px; margin-top: .7rem; padding: .8rem }
footer { color: GrayText; font-size: .85rem; margin-top: 2rem }
`;

/** The whole page, UTF-8. */
export function errorPage({ error, what, directory, script }: Failure): string {
  const text = error.detail ?? "";
  const frames = framesOf(text, directory).reverse();
  const own = frames.filter((frame) => frame.own);
  const others = frames.filter((frame) => !frame.own);
  const title = titleOf(text) || error.message;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title><style>${STYLE}</style></head><body>
<main>
<p class="what">${escaped(what)}</p>
<h1>${escaped(title)}</h1>
${title === error.message ? "" : `<p>${escaped(error.message)}</p>`}
${(own.length > 0 ? own : others.slice(0, 1)).map((frame) => section(frame, directory)).join("\n")}
${folded("Frames of libraries", others.map((frame) => placeText(frame, directory)).join("\n"))}
${folded("All of it, as text", text)}
</main>
<footer>${escaped(error.code)} · this page reloads itself when a file of the application changes</footer>
<script src="${escaped(script)}"></script>
</body></html>
`;
}

/** The same for a client that asks for no HTML. */
export const errorPlain = ({ error, what }: Failure): string =>
  [`${what}: ${error.message} [${error.code}]`, error.detail ?? "", ""].join("\n");

const section = (frame: Frame, directory: string): string => `<section>
<h2><code>${escaped(placeText(frame, directory))}</code></h2>
${frame.source.length > 0 ? `<pre class="source">${frame.source.map((line) => sourceLine(line, frame)).join("")}</pre>` : ""}
</section>`;

const sourceLine = ({ number, text }: SourceLine, { line }: Frame): string =>
  `<span${number === line ? ' class="here"' : ""}><b>${number}</b>${escaped(text) || " "}</span>`;

function placeText({ file, line, name }: Frame, directory: string): string {
  const shown = file.startsWith(`${directory}/`) ? file.slice(directory.length + 1) : file;
  return `${shown}:${line}${name ? `  in ${name}` : ""}`;
}

const folded = (summary: string, text: string): string =>
  text.trim() === ""
    ? ""
    : `<details><summary>${summary}</summary><pre>${escaped(text.trimEnd())}</pre></details>`;
