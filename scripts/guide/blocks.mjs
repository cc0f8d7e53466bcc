// The code blocks of a page of docs/guide/, by section. Both the drawings and the tests use the programs that the pages show.
import { readFileSync } from "node:fs";

const PAGES = new URL("../../docs/guide/", import.meta.url);

export const readPage = (name) => readFileSync(new URL(name, PAGES), "utf8");

/** A first line, or a second one after `#!`, that is a comment with a file name: the block is that file. */
const FILE = /^(?:#!.*\n)?# ([\w.-]+\.\w+)\n/;

/** The blocks of a text: their language, their text, and their file name where they have one. */
export const blocksOf = (text) =>
  [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, code]) => ({
    language,
    code,
    file: FILE.exec(code)?.[1],
  }));

/** The sections of a page that have blocks: what stands below each `## `. */
export const sectionsOf = (name) =>
  readPage(name)
    .split(/^## /m)
    .map((text) => ({ title: text.slice(0, text.indexOf("\n")), blocks: blocksOf(text) }))
    .filter(({ blocks }) => blocks.length > 0);

/** The program `file` as the page shows it first. */
export function programOf(page, file) {
  const found = blocksOf(readPage(page)).find((block) => block.file === file);
  if (!found) throw new Error(`${page} shows no ${file}`);
  return found.code;
}
