// docs/guide/: each command and each program of it runs and answers as it says, and the questions that it must answer are
// answered where they should be. Its drawings: test/docs/guide-drawings.test.ts.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { makeFolder } from "../kit/make-folder.ts";
import { missing } from "../kit/needs.ts";
import { type Block, PEERS, type Ran, Stage } from "./guide/stage.ts";
import { filesBelow } from "./prose.ts";

interface Section {
  readonly title: string;
  readonly blocks: readonly Block[];
}

const scripts = (name: string): string => new URL(`../../scripts/${name}`, import.meta.url).href;
const { sectionsOf, readPage } = await import(scripts("guide/blocks.mjs"));

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
