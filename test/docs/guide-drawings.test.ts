// The drawings and tables of docs/guide/: they are current, every byte of them is one that the encoders write, and they can be read
// at 360 pixels, in light and dark, and without seeing them.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { chromium } from "playwright-core";
import { findProgram, missing } from "../kit/needs.ts";
import { filesBelow, readText } from "./prose.ts";

const scripts = (name: string): string => new URL(`../../scripts/${name}`, import.meta.url).href;
const { readPage } = await import(scripts("guide/blocks.mjs"));
const { capture } = await import(scripts("guide/capture.mjs"));
const { guideParts } = await import(scripts("guide.mjs"));
const { KINDS } = await import(scripts("guide/svg.mjs"));

const PAGES = filesBelow("docs/guide")
  .filter((path) => path.endsWith(".md"))
  .map((path) => path.replace("docs/guide/", ""));

const { files, tables } = (await guideParts()) as Record<"files" | "tables", Record<string, string>>;

test("the drawings are those that npm run docs writes, and there are no others", () => {
  const there = filesBelow("docs/guide").filter((path) => path.endsWith(".svg"));
  assert.deepEqual(
    there.sort(),
    Object.keys(files)
      .map((name) => `docs/guide/${name}`)
      .sort(),
  );
  for (const [name, drawing] of Object.entries(files))
    assert.ok(
      readText(`docs/guide/${name}`) === drawing,
      `docs/guide/${name} is not current; run npm run docs`,
    );
});

test("so are the tables", () => {
  let count = 0;
  for (const page of PAGES)
    for (const [, name = "", made = ""] of readPage(page).matchAll(
      /<!-- table: (\S+) -->\n([\s\S]*?)<!-- end -->/g,
    )) {
      assert.equal(made.trim(), tables[name]?.trim(), `${page}: ${name}`);
      count++;
    }
  assert.equal(count, Object.keys(tables).length);
});

test("each drawing is on a page, with a text in its place", () => {
  const text = PAGES.map(readPage).join("\n");
  for (const name of Object.keys(files))
    assert.match(text, new RegExp(`!\\[[^\\]]{3,}\\]\\(${name.replace(".", "\\.")}\\)`), name);
});

test("each drawing has a title and a description, light and dark, fits 360 pixels, and has no small text", () => {
  for (const [name, drawing] of Object.entries(files)) {
    assert.match(drawing, /<title id="t">.{8,}<\/title>\n<desc id="d">.{80,}<\/desc>/, name);
    assert.match(drawing, /role="img" aria-labelledby="t d"/, name);
    assert.match(drawing, /prefers-color-scheme:dark/, name);
    assert.match(drawing, /viewBox="0 0 360 \d+"/, name);
    for (const [, size] of drawing.matchAll(/(\d+(?:\.\d+)?)px/g)) assert.ok(Number(size) >= 9.5, name);
  }
});

/** The relative luminance and the contrast of WCAG 2.2. */
function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5]
    .map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

test("text on every colour has a contrast of at least 4.5, in light and in dark", () => {
  const [lightInk = "", darkInk = ""] = [
    ...(files["six-ways.svg"] as string).matchAll(/\.ink\{fill:(#\w{6})\}/g),
  ].map(([, ink]) => ink as string);
  for (const [kind, [, light, dark]] of Object.entries(KINDS) as [string, [string, string, string]][]) {
    assert.ok(contrast(lightInk, light) >= 4.5, `${kind}, light`);
    assert.ok(contrast(darkInk, dark) >= 4.5, `${kind}, dark`);
  }
});

// Bytes.

interface Captured {
  readonly messages: readonly { readonly bytes: Buffer }[];
  readonly answer: { readonly bytes: Buffer };
}

/** The bytes that the cells of a drawing show. */
const shownIn = (drawing: string): number[] =>
  [...drawing.matchAll(/class="ink (?:cell|hex)">([^<]+)</g)].map(([, shown = ""]) => byteOf(shown));

const ENTITIES: Readonly<Record<string, string>> = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"' };

function byteOf(shown: string): number {
  const character = ENTITIES[shown] ?? shown;
  if (character === "␣") return 0x20;
  return character.length === 2 ? Number.parseInt(character, 16) : character.charCodeAt(0);
}

const { request, interfaces } = (await capture()) as {
  request: { readonly bytes: Buffer };
  interfaces: Record<string, Captured>;
};

test("the drawing of the HTTP request has its bytes, one cell each", () => {
  assert.deepEqual(shownIn(files["http-bytes.svg"] as string), [...request.bytes]);
});

for (const name of ["cgi", "fastcgi", "scgi", "uwsgi"])
  test(`${name}: every byte that crosses the wall, and every one of the answer, is a cell of the drawing`, () => {
    const { messages, answer } = interfaces[name] as Captured;
    const all = Buffer.concat([...messages, answer].map(({ bytes }) => bytes));
    assert.deepEqual(shownIn(files[`${name}-bytes.svg`] as string), [...all]);
  });

test("what the answers say of FastCGI and SCGI is in the bytes", () => {
  assert.match(files["fastcgi-bytes.svg"] as string, /<desc id="d">.*BEGIN_REQUEST of request 1;/);
  assert.match(files["scgi-bytes.svg"] as string, /<desc id="d">.*QUERY_STRING: table=4;/);
  assert.match(tables.asgi as string, /\| mount \| `root_path` \| `'\/cafe'` \|/);
});

// In a browser.

interface Placed {
  readonly text: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** A part of a pixel, and what letters stand out of their line. */
const SLACK = 2;

const overlap = (one: Placed, other: Placed): boolean =>
  one.left < other.right - SLACK &&
  other.left < one.right - SLACK &&
  one.top < other.bottom - SLACK &&
  other.top < one.bottom - SLACK;

describe("in a browser 360 pixels wide", { skip: missing("chromium") }, () => {
  test("every text lies within its drawing, and no two lie on each other", async () => {
    const browser = await chromium.launch({
      executablePath: findProgram("chromium") as string,
      args: ["--no-sandbox"],
    });
    try {
      const page = await browser.newPage({ viewport: { width: 360, height: 800 } });
      for (const [name, drawing] of Object.entries(files)) {
        await page.setContent(
          `<body style="margin:0">${drawing.replace('width="480"', 'width="360"')}</body>`,
        );
        const texts = await page.$$eval("svg text", (found) =>
          found.map((one) => {
            const { left, right, top, bottom } = one.getBoundingClientRect();
            return { text: one.textContent ?? "", left, right, top, bottom };
          }),
        );
        assert.ok(texts.length > 8, name);
        for (const one of texts) assert.ok(one.left >= -1 && one.right <= 361, `${name}: ${one.text}`);
        // Cells are wider than what is in them, and too many to compare.
        const words = texts.filter(({ text }) => text.length > 2);
        for (const [i, one] of words.entries())
          for (const other of words.slice(i + 1))
            assert.ok(!overlap(one, other), `${name}: "${one.text}" lies on "${other.text}"`);
      }
    } finally {
      await browser.close();
    }
  });
});
