// The demonstration in a real browser, from a real `sallyport demo`: every door answers and is shown as it is, bytes and meaning are
// lit together, the races move, a dead worker is seen, the other direction works, and axe finds no fault.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { missing, needs } from "../kit/needs.ts";
import { type Served, serveBy } from "../kit/serve.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));
const SRC = fileURLToPath(new URL("../../src", import.meta.url));

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

describe("the demonstration in Chromium", { skip: missing("chromium") }, () => {
  let server: Served;
  let browser: Browser;
  let page: Page;
  const errors: string[] = [];
  const asked = new Set<string>();

  const faults = async (): Promise<unknown> => {
    await page.evaluate(AXE);
    const result = (await page.evaluate("axe.run()")) as AxeResult;
    return result.violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
  };
  /** Kept where the variable says, for people to look at. */
  const keep = async (name: string): Promise<void> => {
    const { SALLYPORT_SCREENSHOTS: where } = process.env;
    if (where) await page.screenshot({ path: join(where, `${name}.png`), fullPage: true });
  };
  /** The first picture of README.md: panel 1, with all doors asked. */
  const keepPicture = async (): Promise<void> => {
    const { SALLYPORT_SCREENSHOTS: where } = process.env;
    if (where) await page.setViewportSize({ width: 1000, height: 900 });
    for (const colorScheme of where ? (["light", "dark"] as const) : []) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.locator("#way").screenshot({ path: join(where as string, `see-${colorScheme}.png`) });
    }
    await page.setViewportSize({ width: 1280, height: 760 });
    await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  };
  const start = async (): Promise<void> => {
    await page.goto(server.url);
    await shown();
  };
  /** The panels are there. */
  const shown = (): Promise<void> => page.locator("#panel:not([aria-busy]) section").first().waitFor();
  const open = async (door: string): Promise<void> => {
    await page.locator(`#tab-${door}`).click();
    await page.locator(`#tab-${door}[aria-selected=true]`).waitFor();
    await shown();
  };
  /** Names of the doors that this machine has. */
  const doorsHere = (): Promise<string[]> =>
    page
      .locator("[role=tab]:not(.absent):not(#tab-both)")
      .evaluateAll((tabs) => tabs.map(({ id }) => id.replace("tab-", "")));
  const output = (): Promise<string> => page.locator("#back pre.output").innerText();
  const tile = (name: string): Promise<string> =>
    page.locator("#way .tiles div", { hasText: name }).first().locator("dd").innerText();
  const factRow = (fact: string): Locator => page.locator(`#crossed tr[data-fact=${fact}]`);
  /** What is lit of the bytes. */
  const lit = async (): Promise<string> => {
    const hex = await page.locator("#crossed .bytes .lit").allTextContents();
    return Buffer.from(hex.filter((each) => each.length === 2).join(""), "hex").toString("latin1");
  };
  /** Limits the race to some doors: the whole of it takes minutes on a slow machine. */
  const raceOnly = (...doors: string[]): Promise<unknown> =>
    page.route("**/demo/race", (route) =>
      route.continue({ postData: JSON.stringify({ ...route.request().postDataJSON(), doors }) }),
    );
  const row = (door: string): Locator => page.locator(`#race [data-door=${door}]`);

  before(async () => {
    server = await serveBy([process.execPath, BIN, "demo", "--port", "0"]);
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
    page = await browser.newPage({ reducedMotion: "reduce" });
    page.setDefaultTimeout(60_000);
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("request", (request) => asked.add(new URL(request.url()).origin));
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  test("the same request goes through every door, and each panel shows what really passed", async () => {
    await start();
    const doors = await doorsHere();
    assert.ok(doors.length >= 8, doors.join(", "));
    for (const door of doors) {
      await open(door);
      const text = await output();
      assert.match(text, /^Hello, you!/, door);
      const [, pid = ""] = /process (\d+)/.exec(text) ?? [];
      if (pid) assert.equal(await tile("process"), pid, door);
      const [, number] = /request (\d+) that I answer/.exec(text) ?? [];
      if (number) assert.equal(await tile("requests this process has answered"), number, door);
      assert.match(await factRow("query").innerText(), /name=you/, door);
      const drawn = page.getByRole("img", { name: /The request goes from the browser/ });
      assert.match((await drawn.getAttribute("aria-label")) ?? "", /application [\d.]+ m?s/, door);
      assert.doesNotMatch(await page.locator("body").innerText(), /\[object|undefined|NaN/, door);
      await page
        .getByRole("button", { name: /^the code of/ })
        .first()
        .click();
      assert.match(await page.locator("dialog pre").first().innerText(), /Hello/, door);
      await page.keyboard.press("Escape");
    }
    assert.equal(await page.locator("#way .scale li").count(), doors.length);
    await open("cgi");
    await keepPicture();
    await keep("demo");
    assert.deepEqual(await faults(), []);
  });

  test("CGI has a new process each time, FastCGI has the same one", async () => {
    for (const [door, isSame] of [
      ["cgi", false],
      ["fastcgi", true],
    ] as const) {
      await open(door);
      const [before, started] = [
        await tile("process"),
        Number(await tile("processes this door has started")),
      ];
      const done = page.waitForResponse(/\/demo\/recordings\//);
      await page.getByRole("button", { name: "Send" }).click();
      await done;
      await shown();
      const now = page.locator("#way .tiles dd").first();
      if (!isSame) await now.filter({ hasNotText: before }).waitFor();
      assert.equal((await now.innerText()) === before, isSame, door);
      assert.equal(Number(await tile("processes this door has started")), started + (isSame ? 0 : 1), door);
    }
  });

  test("a fact lights its bytes, and a byte its row", async () => {
    await open("scgi");
    await factRow("query").hover();
    assert.equal(await lit(), "QUERY_STRING\0name=you\0");
    await factRow("mount").hover();
    assert.equal(await lit(), "SCRIPT_NAME\0/scgi\0");
    await page.locator('#crossed .bytes [data-at="0"]').first().hover();
    assert.match(await page.locator("#crossed .fields .lit").innerText(), /^length of the netstring/);
    const deep = page.locator("#crossed .fields li", { hasText: "end of the name" }).first();
    assert.equal(await deep.isVisible(), false);
    await page.locator("#crossed").getByLabel("every length and type").check();
    assert.equal(await deep.isVisible(), true);
  });

  test("two doors are compared", async () => {
    await open("wsgi");
    await page.getByLabel("Compare with").selectOption("asgi");
    await page.getByRole("columnheader", { name: "in ASGI" }).waitFor();
    assert.match(await factRow("mount").innerText(), /SCRIPT_NAME\s+\/wsgi\s+root_path\s+'\/asgi'/);
    assert.equal(await page.locator("#crossed .messages").count(), 2);
    await keep("demo-compared");
    assert.deepEqual(await faults(), []);
    await page.getByLabel("Compare with").selectOption("");
    await page.getByRole("columnheader", { name: "in ASGI" }).waitFor({ state: "detached" });
  });

  test("method, header and body go along, and the command for a terminal does the same", async (t) => {
    await open("fetch");
    await page.getByLabel("Method").selectOption("POST");
    await page.getByRole("textbox", { name: "Body" }).fill("it's a body");
    await page.getByRole("button", { name: "Add a header" }).click();
    await page.getByRole("button", { name: "Send" }).click();
    await page.locator("#back pre.output", { hasText: "body of 11 bytes" }).waitFor();
    await page.locator("#crossed summary").click();
    assert.match(await page.locator("#crossed details").innerText(), /headers: x-colour\s+green/);
    const command = await page.locator("#request code").innerText();
    assert.ok(command.includes(`'${server.url}/fetch/hello?name=you'`), command);
    await open("cgi");
    assert.equal(await page.locator("#crossed h3", { hasText: "CGI: standard input" }).count(), 1);
    await factRow("body").hover();
    assert.equal(await lit(), "it's a body");
    await page.getByLabel("Method").selectOption("GET");
    await page.getByRole("button", { name: "Remove" }).click();
    if (!needs(t, "curl")) return;
    assert.match(execFileSync("sh", ["-c", command], { encoding: "utf8" }), /body of 11 bytes/);
  });

  test("a header that no page may send gets a clear word, and the next request is sent to every door", async () => {
    await start();
    await page.getByRole("button", { name: "Add a header" }).click();
    for (const [name, said] of [
      ["Cookie", /the browser does not let a page send Cookie; the command for a terminal does/],
      ["no name", /the browser refuses this request/],
    ] as const) {
      await page.getByLabel("Header name").fill(name);
      await page.getByRole("button", { name: "Send" }).click();
      await page.locator("#notice.bad").filter({ hasText: said }).waitFor();
    }
    await page.getByRole("button", { name: "Remove" }).click();
    await open("wsgi");
    await page.getByLabel("Path and query").fill("/hello?name=everybody");
    await open("asgi");
    assert.match(await output(), /^Hello, everybody!/);
    await open("wsgi");
    assert.match(await output(), /^Hello, everybody!/);
  });

  test("keys 1 to 0 and the arrows open the doors, but not while somebody writes", async () => {
    await start();
    const doors = await page.locator("[role=tab]").evaluateAll((tabs) => tabs.map(({ id }) => id));
    const selected = (): Promise<string | null> =>
      page.locator("[role=tab][aria-selected=true]").getAttribute("id");
    for (const [i, id] of doors.slice(0, 10).entries()) {
      await page.keyboard.press(`${(i + 1) % 10}`);
      assert.equal(await selected(), id);
    }
    await page.keyboard.press("2");
    await page.getByLabel("Path and query").press("End");
    await page.keyboard.press("1");
    assert.equal(await selected(), doors[1]);
    assert.equal(await page.getByLabel("Path and query").inputValue(), "/hello?name=you1");
    await page.getByLabel("Path and query").press("Backspace");
    await page.locator(`#${doors[1]}`).press("ArrowRight");
    assert.equal(await selected(), doors[2]);
    await page.keyboard.press("End");
    assert.equal(await selected(), "tab-both");
    await page.keyboard.press("Home");
    assert.equal(await selected(), doors[0]);
  });

  test("nothing moves for those who asked for less motion, and the dot runs for others", async () => {
    const moving = (): Promise<unknown> => page.evaluate("document.getAnimations().length");
    await open("wsgi");
    assert.equal(await moving(), 0);
    assert.equal(await page.locator("#again").isVisible(), false);
    await page.emulateMedia({ reducedMotion: "no-preference" });
    await start();
    await page.locator("#again").click();
    assert.equal(
      await page.evaluate(
        'document.getAnimations().some(({ effect }) => effect.target.matches("circle.dot"))',
      ),
      true,
    );
    await page.emulateMedia({ reducedMotion: "reduce" });
  });

  test("a worker that dies is seen at its door", async () => {
    await start();
    await open("wsgi");
    await page.getByLabel("Path and query").fill("/hello?name=you&wait=1");
    // Killed before it has the request, it would be replaced, and the request answered.
    for (let attempt = 0; attempt < 10; attempt++) {
      const pid = Number(await tile("process"));
      const done = page.waitForResponse(/\/demo\/recordings\//);
      await page.getByRole("button", { name: "Send" }).click();
      await new Promise((resolve) => setTimeout(resolve, 200 + 100 * attempt));
      process.kill(pid, "SIGKILL");
      await done;
      await shown();
      if ((await page.locator("#back h3", { hasText: "What the browser got: 502" }).count()) > 0) break;
    }
    assert.match(await page.locator("#back").innerText(), /What the browser got: 502/);
    assert.match(await page.locator("#back").innerText(), /WORKER_DIED/);
    await page.getByLabel("Path and query").fill("/hello?name=you");
    await page.getByRole("button", { name: "Send" }).click();
    await page.locator("#back pre.output", { hasText: "Hello, you!" }).waitFor();
    assert.ok(errors.splice(0).every((text) => text.includes("502")));
  });

  test("in the race every door gets its bar, and every figure has its unit", async () => {
    await raceOnly("wsgi", "fetch");
    await page.getByRole("button", { name: "Ask every door 500 times" }).click();
    await page.getByText("The race is over.").waitFor();
    for (const door of ["wsgi", "fetch"]) {
      const text = await row(door).innerText();
      assert.match(text, /[\d.,]+ requests\/s/, door);
      assert.match(text, /median [\d.]+ m?s, 99 % within [\d.]+ m?s/, door);
      assert.match(text, /\d+ process(es)? started/, door);
      assert.ok(((await row(door).locator("i").boundingBox())?.width ?? 0) > 2, door);
    }
    await page.unroute("**/demo/race");
  });

  test("bars move while 200 clients wait: the event loop answers them all, one thread does not", async () => {
    await raceOnly("wsgi", "asgi");
    await page.getByRole("button", { name: "200 clients who wait one second" }).click();
    // This door takes its ten seconds: its bar is seen to move.
    await page
      .locator("#race .now[data-door=wsgi]")
      .filter({ hasText: /[1-9]\d* of 200 answered/ })
      .waitFor();
    await page.getByText("The race is over.").waitFor();
    assert.match(await row("asgi").innerText(), /all answered in/);
    assert.match(await row("wsgi").innerText(), /only \d+ of 200 answered/);
    await keep("demo-race");
    assert.deepEqual(await faults(), []);
    await page.unroute("**/demo/race");
  });

  test("a race can be stopped", async () => {
    await raceOnly("wsgi");
    await page.getByRole("button", { name: "200 clients who wait one second" }).click();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByText("Stopped.").waitFor();
    assert.equal(await page.getByRole("button", { name: "Ask every door 500 times" }).isEnabled(), true);
    await page.unroute("**/demo/race");
  });

  test("both directions: nginx is the server, and Sallyport the application", async (t) => {
    if (!needs(t, "nginx")) return;
    await page.locator("#tab-both").click();
    for (const [name, field] of [
      ["FastCGI", /record BEGIN_REQUEST/],
      ["SCGI", /length of the netstring/],
      ["uwsgi", /modifier1/],
      ["HTTP (proxy)", /GET \/wsgi\/hello/],
    ] as const) {
      await page.locator("#behind").getByRole("button", { name, exact: true }).click();
      await page.getByRole("heading", { name: `What nginx sent to Sallyport by ${name}` }).waitFor();
      assert.match(await page.locator("#behind .fields").innerText(), field, name);
      assert.match(await page.locator("#behind pre").first().innerText(), /^Hello, you!/, name);
    }
    await keep("demo-both");
    assert.deepEqual(await faults(), []);
  });

  /** Each answer stands on the panel to which its question leads. */
  const ANSWERS: readonly (readonly [question: string, panel: string, answer: RegExp])[] = [
    ["Which interface starts a process for each request?", "#way", /starts a process for each request/],
    ["Who parses the HTTP head in WSGI?", "#halves .server", /I parse the head of the request/],
    ["How does the body of a request reach a CGI program?", "#crossed [data-fact=body]", /standard input/],
    ["What carries the query string in SCGI?", "#crossed", /netstring[\s\S]*QUERY_STRING name=you/],
    ["Where does a FastCGI record say which request it belongs to?", "#crossed .fields", /request id 1/],
    [
      "What does start_response do that CGI does by printing?",
      "#back",
      /start_response\(status, headers\), which does what a CGI program does by printing its header/,
    ],
    [
      "Why is embedded mode quicker, and what does it risk?",
      "#way",
      /one function call: no socket[\s\S]*a crash in the interpreter takes the server with it/,
    ],
    [
      "Why can one ASGI process serve 200 clients who wait?",
      "#way",
      /Wherever it awaits, the event loop serves other requests/,
    ],
    ["What is SCRIPT_NAME called in ASGI?", "#crossed [data-fact=mount]", /root_path/],
    [
      "What happens to a client's request when a worker dies?",
      "#way",
      /only the request inside it is lost: its client gets 502 Bad Gateway/,
    ],
  ];

  test("the ten questions can be answered from the page alone", async () => {
    await start();
    assert.equal(await page.locator("#questions li").count(), ANSWERS.length);
    for (const [question, panel, answer] of ANSWERS) {
      await page.getByRole("button", { name: question }).click();
      await page.locator(".card.answer").waitFor();
      assert.match(await page.locator(panel).innerText(), answer, question);
      const focused = await page.evaluate("document.activeElement.id");
      assert.equal(`#${focused}`, panel.split(" ")[0], question);
    }
  });

  test("360 pixels are enough, and so is the dark", async () => {
    for (const [width, colorScheme, door] of [
      [360, "light", "cgi"],
      [360, "dark", "fastcgi"],
      [1280, "dark", "embedded"],
    ] as const) {
      await page.setViewportSize({ width, height: 760 });
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await start();
      await open(door);
      const [wide, seen] = (await page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
      )) as [number, number];
      assert.ok(wide <= seen, `${door} at ${width}: ${wide} pixels`);
      await keep(`demo-${width}-${colorScheme}`);
      assert.deepEqual(await faults(), [], `${door} at ${width}, ${colorScheme}`);
    }
    await page
      .getByRole("button", { name: /^the code of/ })
      .first()
      .click();
    assert.deepEqual(await faults(), []);
  });

  test("nothing comes from elsewhere, the pages are small, and no script failed", () => {
    assert.deepEqual([...asked], [server.url]);
    const folders = [join(SRC, "demo/pages"), join(SRC, "pages/shared")];
    const sizes = folders.flatMap((folder) =>
      readdirSync(folder).map((name) => statSync(join(folder, name)).size),
    );
    assert.ok(sizes.reduce((sum, size) => sum + size, 0) < 150_000);
    assert.deepEqual(errors, []);
  });
});
