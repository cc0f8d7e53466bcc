// docs/guide/: each command and each program of it runs and answers as it says, each drawing is current and can be read, and the
// questions that it must answer are answered where they should be.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { makeFolder } from "../kit/make-folder.ts";
import { missing } from "../kit/needs.ts";
import { type Block, PEERS, type Ran, Stage } from "./guide/stage.ts";
import { filesBelow, readText } from "./prose.ts";

interface Section {
  readonly title: string;
  readonly blocks: readonly Block[];
}

const scripts = (name: string): string => new URL(`../../scripts/${name}`, import.meta.url).href;
const { sectionsOf, readPage } = await import(scripts("guide/blocks.mjs"));
const { guideParts } = await import(scripts("guide.mjs"));
const { KINDS } = await import(scripts("guide/svg.mjs"));

const PAGES = filesBelow("docs/guide")
  .filter((path) => path.endsWith(".md"))
  .map((path) => path.replace("docs/guide/", ""));

// Commands and programs.

const hasCommand = ({ blocks }: Section): boolean => blocks.some(isCommand);
const isCommand = ({ language, file }: Block): boolean => language === "sh" && file === undefined;

/** What a section needs from the machine. */
function neededBy({ blocks }: Section): string[] {
  const peers = blocks.flatMap(({ language }) => PEERS[language]?.program ?? []);
  return ["curl", "python3", ...peers];
}

function asserted({ command, output, shown }: Ran): void {
  if (shown !== undefined) assert.equal(output, shown, command);
  else if (!command.startsWith("chmod")) assert.notEqual(output.trim(), "", command);
}

for (const page of PAGES)
  describe(`docs/guide/${page}`, () => {
    const sections = (sectionsOf(page) as Section[]).filter(hasCommand);
    if (sections.length === 0) return;
    const stage = new Stage(makeFolder({ after }));
    for (const section of sections)
      test(`"${section.title}" does what it shows`, { skip: missing(...neededBy(section)) }, async () => {
        try {
          const ran = await stage.play(section.blocks);
          assert.notEqual(ran.length, 0);
          for (const one of ran) asserted(one);
        } finally {
          await stage.stop();
        }
      });
  });

test("each interface's page runs an application with us as the server, and behind another server", () => {
  for (const page of ["cgi.md", "fastcgi.md", "scgi.md", "uwsgi.md", "wsgi.md", "asgi.md"]) {
    const commands = (sectionsOf(page) as Section[]).filter(hasCommand);
    assert.ok(commands.length >= 2, page);
    assert.ok(
      commands.some(({ blocks }) => blocks.some(({ language }) => language in PEERS)),
      page,
    );
  }
});

test("every block of the guide is a file, a command, its output, a drawing in text, or lines for a server", () => {
  for (const page of PAGES)
    for (const { blocks } of sectionsOf(page) as Section[])
      for (const { language, file, code } of blocks) {
        const isKnown = file !== undefined || ["sh", "text", ...Object.keys(PEERS)].includes(language);
        assert.ok(isKnown, `${page}: ${language}: ${code}`);
      }
});

test("no command stands in the middle of a sentence, where nothing would run it", () => {
  for (const page of PAGES) assert.doesNotMatch(readPage(page), /`(?:npx|curl) [^`\n]+`/, page);
});

// Drawings and tables.

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

// Questions.

/** Each with the page that should answer it, and the sentence that does. */
const QUESTIONS: readonly (readonly [question: string, page: string, answer: string])[] = [
  [
    "Which interface starts a process for each request?",
    "README.md",
    "CGI alone starts a process for each request.",
  ],
  [
    "Which interface starts a process for each request?",
    "cgi.md",
    "The server starts a new process for each request.",
  ],
  ["Who parses the HTTP head in WSGI?", "wsgi.md", "The server parses the HTTP head in WSGI."],
  [
    "How does the body reach a CGI program?",
    "cgi.md",
    "The body reaches a CGI program as its standard input.",
  ],
  [
    "What carries the query string in SCGI?",
    "scgi.md",
    "In SCGI the query string is carried by a name and a value in the netstring",
  ],
  [
    "Where does a FastCGI record say which request it belongs to?",
    "fastcgi.md",
    "The request id, two bytes in the head of every record, says which request a FastCGI record belongs to (3.3).",
  ],
  [
    "What does `start_response` do that CGI does by printing?",
    "wsgi.md",
    "it says the status and the header fields before the body.",
  ],
  [
    "Why is embedded mode quicker?",
    "wsgi.md",
    "Embedded mode is quicker because a request is one call within one process",
  ],
  [
    "What does embedded mode risk?",
    "wsgi.md",
    "an application which crashes takes the server process and its other requests with it",
  ],
  [
    "Why can one ASGI process serve 200 clients who wait?",
    "asgi.md",
    "One ASGI process can serve 200 clients who wait, because each of them is only a paused coroutine",
  ],
  ["What is `SCRIPT_NAME` called in ASGI?", "asgi.md", "`SCRIPT_NAME` is called `root_path` in ASGI."],
  [
    "What happens to a client's request when a worker dies?",
    "from-request-to-application-and-back.md",
    "When a worker dies, its client gets 502, if nothing of the answer was sent",
  ],
];

const plain = (text: string): string => text.replace(/\*\*/g, "").replace(/\s+/g, " ");

for (const [question, page, answer] of QUESTIONS)
  test(`${question} (docs/guide/${page})`, () => {
    assert.ok(plain(readPage(page)).includes(answer), answer);
  });

test("what the answers say of FastCGI and SCGI is in the bytes", () => {
  assert.match(files["fastcgi-bytes.svg"] as string, /<desc id="d">.*BEGIN_REQUEST of request 1;/);
  assert.match(files["scgi-bytes.svg"] as string, /<desc id="d">.*QUERY_STRING: table=4;/);
  assert.match(tables.asgi as string, /\| mount \| `root_path` \| `'\/cafe'` \|/);
});
