// `sallyport dev` in a real browser: edit and see, break and see why, mend and see.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { missing, VENV_PYTHON } from "../kit/needs.ts";
import { type Served, serveBy } from "../kit/serve.ts";

const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));

const app = (body: string): string => `
from flask import Flask
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

  const write = (body: string): void => writeFileSync(join(directory, "shop.py"), app(body));
  const shows = (text: string): Promise<void> => page.getByText(text).first().waitFor();

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-dev-"));
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
    rmSync(directory, { recursive: true, force: true });
  });

  test("the page follows the source: edited, raising, not importable, mended", async () => {
    await shows("Hello, one");
    write('return "<h1>Hello, two</h1>"');
    await shows("Hello, two");
    write('return "Hello".nothing');
    await shows("AttributeError: 'str' object has no attribute 'nothing'");
    assert.equal(await page.locator(".here").innerText(), '7    return "Hello".nothing');
    write("return (");
    await shows("SyntaxError: '(' was never closed");
    write('return "<h1>Hello, three</h1>"');
    await shows("Hello, three");
    assert.equal(await page.title(), "");
  });
});
