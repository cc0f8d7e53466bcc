// Colours for a page of source: comments, texts, the words of the language. Not a parser; a page that is meant to be read needs no more.
import { h } from "./dom.js";

const WORDS = {
  python:
    "and as assert async await class def elif else except finally for from global if import in is lambda not or pass raise return try while with yield",
  typescript:
    "as async await class const else export default for function if import in interface let new of return throw try type typeof while",
  php: "echo else exit for foreach function if isset new return static while",
};
const COMMENT = {
  python: "#.*",
  typescript: "\\/\\/.*|\\/\\*[\\s\\S]*?\\*\\/",
  php: "\\/\\/.*|#.*|\\/\\*[\\s\\S]*?\\*\\/",
};
const TEXT = `"""[\\s\\S]*?"""|"(?:\\\\.|[^"\\\\\\n])*"|'(?:\\\\.|[^'\\\\\\n])*'|\`(?:\\\\.|[^\`\\\\])*\``;

/** The pieces of `text` for a `pre`. */
export function marked(text, language) {
  const words = WORDS[language];
  if (!words) return [text];
  const pattern = new RegExp(
    `(?<c>${COMMENT[language]})|(?<t>${TEXT})|(?<w>\\b(?:${words.split(" ").join("|")})\\b)`,
    "g",
  );
  const found = [];
  let at = 0;
  for (const { 0: piece, index, groups } of text.matchAll(pattern)) {
    const name = groups.c !== undefined ? "comment" : groups.t !== undefined ? "text" : "word";
    found.push(text.slice(at, index), h("span", { class: name }, piece));
    at = index + piece.length;
  }
  return [...found, text.slice(at)];
}
