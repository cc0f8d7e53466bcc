// Dashboard and inspector in a real browser, on the admin listener of a real server: bars move under load, a captured
// request shows what the application really got, a replay is compared, a reload is seen, and axe finds no fault.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { makeFolder } from "../kit/make-folder.ts";
import { missing } from "../kit/needs.ts";
import { type Served, serve } from "../kit/serve.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TOKEN = "0123456789abcdef";

/** Writes down what it got, byte by byte where it is text. */
const APP = `
import json, os, sys, time
def rest():
    while not os.path.exists("go"): time.sleep(0.05)
def app(environ, start_response):
    body = environ["wsgi.input"].read()
    if environ["PATH_INFO"] == "/rest":
        print("somebody rests", file=sys.stderr, flush=True)
        rest()
    got = {name: value for name, value in environ.items() if isinstance(value, str)}
    with open("got.json", "w") as file: json.dump(got, file)
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Made-By", __name__)])
    yield b"hello "
    yield body
`;

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

describe("dashboard and inspector in Chromium", { skip: missing("chromium") }, () => {
  const folder = makeFolder();
  let server: Served;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let admin: string;

  const faults = async (): Promise<unknown> => {
    await page.evaluate(AXE);
    const result = (await page.evaluate("axe.run()")) as AxeResult;
    return result.violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
  };
  const hello = (path = "/shop/p%20q?x=1"): Promise<string> =>
    fetch(server.url + path, {
      method: "POST",
      body: "a=1",
      headers: { "x-who": "me", authorization: "Bearer tellnobody" },
    }).then((answer) => answer.text());
  /** Kept where the variable says, for people to look at. */
  const keep = async (name: string): Promise<void> => {
    const { SALLYPORT_SCREENSHOTS: where } = process.env;
    if (where) await page.screenshot({ path: join(where, `${name}.png`), fullPage: true });
  };
  /** A request captured and picked. */
  const pick = async (path: string): Promise<void> => {
    await page.goto(`${admin}/#inspector`);
    const button = page.locator("#capture");
    if ((await button.getAttribute("aria-pressed")) !== "true") await button.click();
    await page.locator('#capture[aria-pressed="true"]').waitFor();
    await hello(path);
    await page.locator(".list button", { hasText: path }).first().click();
    await page.locator("#view h2").waitFor();
  };

  before(async () => {
    writeFileSync(join(folder, "shop.py"), APP);
    writeFileSync(join(folder, "token"), `${TOKEN}\n`);
    const apps = { shop: { wsgi: "shop:app" }, other: { wsgi: "shop:app" } };
    const routes = [{ path: "/shop", app: "shop" }, { app: "other" }];
    const log = { access: "off" };
    writeFileSync(
      join(folder, "sallyport.json"),
      JSON.stringify({ listen: ["127.0.0.1:0"], log, apps, routes }),
    );
    const args = ["--config", join(folder, "sallyport.json"), "--admin", "127.0.0.1:0"];
    server = await serve([...args, "--admin-token-file", join(folder, "token")], { cwd: folder });
    [, admin = ""] = await server.sees(/admin listener is at (\S+)/);
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
    context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] });
    page = await context.newPage();
    page.setDefaultTimeout(30_000);
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    page.on("pageerror", (error) => errors.push(error.message));
  });
  const errors: string[] = [];
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  test("it asks for the token, and then shows the server", async () => {
    await page.goto(admin);
    await page.getByLabel("Token").fill(TOKEN);
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByText(`process ${server.pid} · serving`).waitFor();
    assert.deepEqual(
      errors.filter((text) => !text.includes("401")),
      [],
    );
  });

  test("bars move under load", async () => {
    await page.getByRole("button", { name: "Restart shop" }).waitFor();
    const stop = performance.now() + 60_000;
    while (performance.now() < stop && (await page.locator(".bar.c2").count()) === 0)
      await Promise.all(Array.from({ length: 20 }, () => hello()));
    assert.ok((await page.locator(".bar.c2").count()) > 0);
    await page.getByRole("img", { name: /How long the [1-9]\d* requests of the last minute took/ }).waitFor();
    const row = page.getByRole("region", { name: "Apps" }).getByRole("row", { name: /^shop WSGI/ });
    await row.waitFor();
    await keep("dashboard");
    assert.doesNotMatch(await page.locator("body").innerText(), /\[object|undefined|NaN/);
    assert.deepEqual(await faults(), []);
  });

  test("a captured request shows the true environ and the true bytes", async () => {
    await pick("/shop/p%20q?x=1");
    const got: Record<string, string> = JSON.parse(readFileSync(join(folder, "got.json"), "utf8"));
    const shown = new Map<string, string>();
    for (const row of await page
      .getByRole("region", { name: "What the application was handed" })
      .locator("tbody tr")
      .all()) {
      const [name = "", value = ""] = await row.locator("td").allTextContents();
      shown.set(name, value);
    }
    for (const name of [
      "SCRIPT_NAME",
      "PATH_INFO",
      "QUERY_STRING",
      "REQUEST_METHOD",
      "HTTP_X_WHO",
      "CONTENT_LENGTH",
    ])
      assert.equal(shown.get(name), got[name], name);
    assert.equal(got.HTTP_AUTHORIZATION, "Bearer tellnobody");
    assert.equal(shown.get("HTTP_AUTHORIZATION"), "Bearer **********");
    const wire = page.locator(".wire").first();
    const hex = (await wire.locator(".bytes div").allTextContents())
      .map((line) => line.slice(6, 53))
      .join(" ");
    const bytes = Buffer.from(hex.replaceAll(/\s/g, ""), "hex").toString("latin1");
    for (const text of ["/p q", "x=1", "Bearer **********"]) assert.ok(bytes.includes(text), text);
    const drawn = page.getByRole("img", { name: /crosses the gateway in/ });
    assert.match((await drawn.textContent()) ?? "", /application\d/);
    await keep("inspector");
    assert.doesNotMatch(await page.locator("#view").innerText(), /\[object|undefined|NaN/);
    assert.ok((await drawn.locator("[data-section=application]").count()) > 0);
    assert.deepEqual(await faults(), []);
  });

  test("a field lights its bytes and a byte its field, with the pointer and with keys", async () => {
    const wire = page.locator(".wire").first();
    const row = wire.getByRole("option").filter({ hasText: "/p q" }).last();
    await row.click();
    assert.equal(await row.getAttribute("aria-selected"), "true");
    const litText = async (): Promise<string> => {
      const lit = await wire.locator(".bytes .lit").allTextContents();
      return Buffer.from(lit.filter((each) => each.length === 2).join(""), "hex").toString("latin1");
    };
    assert.match(await litText(), /\/p q/);
    await page.keyboard.press("ArrowDown");
    assert.equal(await row.getAttribute("aria-selected"), "false");
    await wire.locator('.bytes [data-at="0"]').first().hover();
    assert.equal(await wire.locator(".fields .lit").count(), 1);
    await wire.locator(".bytes").focus();
    await page.keyboard.press("ArrowRight");
    assert.match(await wire.locator("xpath=following-sibling::p").innerText(), /^byte 1 is 0x/);
  });

  test("a replay reaches the other app, and the two are compared", async () => {
    await page.getByLabel("To app").selectOption("other");
    await page.getByRole("button", { name: "Replay" }).click();
    await page.getByText(/\d+ of \d+ differ/).waitFor();
    await page
      .getByRole("img", { name: /crosses the gateway in/ })
      .nth(1)
      .waitFor();
    assert.match(await page.locator("#notice").innerText(), /replayed to other: 200/);
    const got: Record<string, string> = JSON.parse(readFileSync(join(folder, "got.json"), "utf8"));
    assert.equal(got.HTTP_AUTHORIZATION, "Bearer tellnobody");
    await keep("compared");
    assert.deepEqual(await faults(), []);
    await page.getByRole("button", { name: "Only the first" }).click();
    await page.getByRole("button", { name: "Copy curl" }).click();
    await page.getByText("the curl command is copied").waitFor();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Download JSON" }).click(),
    ]);
    const saved = JSON.parse(readFileSync((await download.path()) as string, "utf8"));
    assert.equal(saved.request.method, "POST");
  });

  test("a reload and a restart are made, and seen", async () => {
    await page.goto(`${admin}/#dashboard`);
    await page.getByRole("button", { name: "Reload the configuration" }).click();
    await page.getByText("the configuration was reloaded").first().waitFor();
    await page.getByText(/^last reload .*: done \(1 done, 0 failed\)/).waitFor();
    await page
      .getByText(/process \d+ of shop has started/)
      .first()
      .waitFor();
    const restart = page.getByRole("button", { name: "Restart other" });
    await restart.click();
    // The log may show it as well.
    await page.getByRole("status").filter({ hasText: "app other was restarted" }).waitFor();
  });

  test("the stack of a request that rests is shown, and that its process is too busy; old and new processes are told apart", async () => {
    await page.goto(`${admin}/#dashboard`);
    const resting = hello("/shop/rest");
    const under = page.getByRole("region", { name: "Requests under way" });
    await under.getByRole("button", { name: "Stack of POST /shop/rest" }).click();
    const stack = page.getByRole("region", { name: "Python stack" });
    await stack.locator(".own", { hasText: /shop\.py:\d+ in rest/ }).waitFor();
    assert.match(await stack.innerText(), /while not os\.path\.exists\("go"\)/);
    assert.deepEqual(await faults(), []);
    await keep("stack");

    const pid = Number(await under.getByRole("row", { name: /rest/ }).locator("td").nth(4).textContent());
    process.kill(pid, "SIGSTOP");
    try {
      await stack.getByRole("button", { name: "Look again" }).click();
      await stack.getByText(new RegExp(`Process ${pid}: .*too busy to give its stack`)).waitFor();
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await stack.getByRole("button", { name: "Close" }).click();
    await stack.waitFor({ state: "hidden" });

    await page.getByRole("button", { name: "Restart shop" }).click();
    const processes = page.getByRole("region", { name: "Processes" });
    await processes
      .getByRole("row", { name: new RegExp(`shop \\(WSGI\\) ${pid} \\d+ old draining`) })
      .waitFor();
    await processes.getByRole("row", { name: /shop \(WSGI\) \d+ \d+ idle .* \d+ %/ }).waitFor();
    await keep("generations");
    writeFileSync(join(folder, "go"), "");
    await resting;
  });

  test("the log is followed, by its levels", async () => {
    const log = page.getByRole("region", { name: "Log" });
    await log
      .getByText(/somebody rests/)
      .first()
      .waitFor();
    await log
      .getByText(/app shop was restarted/)
      .first()
      .waitFor();
    await page.getByLabel("Levels").selectOption("error");
    await log
      .getByText(/app shop was restarted/)
      .first()
      .waitFor({ state: "hidden" });
    await page.getByLabel("Levels").selectOption("debug");
    await log
      .getByText(/app shop was restarted/)
      .first()
      .waitFor();
    assert.deepEqual(await faults(), []);
    await keep("log");
  });

  test("360 pixels are enough, and so is the dark", async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
    for (const name of ["dashboard", "inspector"]) {
      await page.goto(`${admin}/#${name}`);
      if (name === "inspector") await pick("/shop/narrow");
      const [wide, seen] = (await page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
      )) as [number, number];
      await keep(`${name}-narrow`);
      assert.ok(wide <= seen, `${name}: ${wide} pixels`);
      assert.deepEqual(await faults(), [], name);
    }
    assert.deepEqual(
      errors.filter((text) => !text.includes("401")),
      [],
    );
  });
});
