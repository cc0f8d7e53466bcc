// `sallyport dev` in a real browser: edit and see, break and see why, mend and see.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { missing, VENV_PYTHON } from "../kit/needs.ts";
import { type Served, serveBy } from "../kit/serve.ts";

const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));

const app = (body: string): string => `
import sys; sys.path.append("../beside")
from flask import Flask, render_template
app = Flask(__name__)

@app.get("/")
def hello():
    ${body}
`;

describe("sallyport dev in Chromium", { skip: missing("chromium", "py:flask") }, () => {
  let directory: string;
  let server: Served;
  let browser: Browser;
  let page: Page;

  const put = (name: string, text: string): void => writeFileSync(join(directory, "..", name), text);
  const write = (body: string): void => put("site/shop.py", app(body));
  const shows = (text: string): Promise<void> => page.getByText(text).first().waitFor();

  before(async () => {
    directory = join(mkdtempSync(join(tmpdir(), "sallyport-dev-")), "site");
    for (const name of ["templates", "static", "../beside"])
      mkdirSync(join(directory, name), { recursive: true });
    write('return "<h1>Hello, one</h1>"');
    const command = [process.execPath, BIN, "dev", "shop:app", "--python", VENV_PYTHON, "--port", "0"];
    server = await serveBy([...command, "--access-log", "off"], { cwd: directory });
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
    page = await browser.newPage();
    page.setDefaultTimeout(30_000);
    await page.goto(server.url);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    rmSync(join(directory, ".."), { recursive: true, force: true });
  });

  test("the page follows the source: edited, raising, not importable, mended", async () => {
    await shows("Hello, one");
    write('return "<h1>Hello, two</h1>"');
    await shows("Hello, two");
    write('return "Hello".nothing');
    await shows("AttributeError: 'str' object has no attribute 'nothing'");
    assert.equal(await page.locator(".here").innerText(), '8    return "Hello".nothing');
    write("return (");
    await shows("SyntaxError: '(' was never closed");
    write('return "<h1>Hello, three</h1>"');
    await shows("Hello, three");
    assert.equal(await page.title(), "");
  });

  test("and what it is made of: a module from elsewhere, a template, a static file", async () => {
    put("beside/prices.py", 'TODAY = "cheap"\n');
    put("site/static/site.css", "h1 { color: rgb(1, 2, 3) }\n");
    const style = '<link rel="stylesheet" href="/static/site.css">';
    put("site/templates/page.html", `${style}<h1>{{ today }}</h1><p>first</p>`);
    write('import prices; return render_template("page.html", today=prices.TODAY)');
    await shows("cheap");
    await shows("first");
    put("beside/prices.py", 'TODAY = "dear"\n');
    await shows("dear");
    put("site/templates/page.html", `${style}<h1>{{ today }}</h1><p>second</p>`);
    await shows("second");
    put("beside/prices.py", "TODAY = (\n");
    await shows("SyntaxError: '(' was never closed");
    assert.match(await page.locator("h2").first().innerText(), /beside\/prices\.py:1/);
    put("beside/prices.py", 'TODAY = "free"\n');
    await shows("free");
    put("site/static/site.css", "h1 { color: rgb(4, 5, 6) }\n");
    await page.waitForFunction("getComputedStyle(document.querySelector('h1')).color === 'rgb(4, 5, 6)'");
  });

  test("a page in the background holds no connection, and is brought up to date when it is seen", async () => {
    const pages = await Promise.all(Array.from({ length: 7 }, () => browser.newPage()));
    for (const other of pages) {
      await other.addInitScript(
        "Object.defineProperty(document, 'hidden', { get: () => !window.isSeen, configurable: true })",
      );
      await other.goto(server.url);
    }
    put("site/templates/page.html", "<p>third</p>");
    await shows("third");
    const last = pages.at(-1) as Page;
    assert.equal(await last.getByText("third").count(), 0);
    await last.evaluate("window.isSeen = true; document.dispatchEvent(new Event('visibilitychange'))");
    await last.getByText("third").waitFor();
    await Promise.all(pages.map((other) => other.close()));
  });
});
