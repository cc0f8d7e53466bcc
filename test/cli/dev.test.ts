// `sallyport dev`: what a developer meets while an application is edited, broken and mended.
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { makeFolder } from "../kit/make-folder.ts";
import { missing, VENV_PYTHON } from "../kit/needs.ts";
import { type Served, serveBy } from "../kit/serve.ts";
import { until } from "../kit/until.ts";

const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));

interface Site {
  readonly server: Served;
  readonly directory: string;
  get(path: string, accept?: string): Promise<{ status: number; text: string }>;
  /** Replaces text of a file, and resolves once the new version is there, or has failed. */
  edit(file: string, from: string | RegExp, to: string): Promise<void>;
}

/** Changes something until that is seen: a file is watched a moment after it was imported. Resolves once a new version is there. */
async function change({ server }: Site, act: () => void): Promise<void> {
  const seen = server.stderr.length;
  const told = (pattern: RegExp): boolean => pattern.test(server.stderr.slice(seen));
  while (!told(/changed: /)) {
    act();
    await delay(200);
  }
  await until(() => told(/changed: [\s\S]*is ready/));
}

async function develop(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<Site> {
  const directory = mkdtempSync(join(tmpdir(), "sallyport-dev-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(directory, name, ".."), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  const command = [process.execPath, BIN, "dev", ...args, "--port", "0", "--access-log", "off"];
  const server = await serveBy(command, { cwd: directory });
  t.after(async () => {
    await server.stop();
    rmSync(directory, { recursive: true });
  });
  const get: Site["get"] = async (path, accept = "*/*") => {
    const response = await fetch(server.url + path, { headers: { accept } });
    return { status: response.status, text: await response.text() };
  };
  const edit: Site["edit"] = async (file, from, to) => {
    const seen = server.stderr.length;
    const path = join(directory, file);
    writeFileSync(path, readFileSync(path, "utf8").replace(from, to));
    const settled = /(?:is ready|could not be imported|importing .* failed)/g;
    while (!settled.test(server.stderr.slice(seen))) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  return { server, directory, get, edit };
}

const FLASK = `
from flask import Flask
from words import GREETING
app = Flask(__name__)

@app.get("/")
def hello():
    return f"<h1>{GREETING}</h1>"

@app.get("/boom")
def boom():
    nobody = None
    return nobody.name
`;

test("a Flask app: edited, broken, mended", { skip: missing("py:flask") }, async (t) => {
  const files = { "shop.py": FLASK, "words.py": 'GREETING = "one"\n' };
  const { get, edit } = await develop(t, files, "shop:app", "--python", VENV_PYTHON);
  assert.match((await get("/")).text, /^<h1>one<\/h1><script src="\/__sallyport\/reload.js"><\/script>$/);
  await edit("words.py", "one", "two");
  assert.match((await get("/")).text, /<h1>two<\/h1>/);

  const failed = await get("/boom", "text/html");
  assert.equal(failed.status, 500);
  assert.match(
    failed.text,
    /<h1>AttributeError: &#39;NoneType&#39; object has no attribute &#39;name&#39;<\/h1>/,
  );
  assert.match(failed.text, /shop\.py:13 {2}in boom/);

  await edit("words.py", /$/, "x = (\n");
  const broken = await get("/", "text/html");
  assert.equal(broken.status, 500);
  assert.match(broken.text, /words\.py:2/);
  assert.match((await get("/")).text, /SyntaxError/);

  await edit("words.py", "x = (\n", "");
  assert.match((await get("/")).text, /<h1>two<\/h1>/);
});

test("an app that does not start at first is served once it does", {
  skip: missing("py:flask"),
}, async (t) => {
  const files = { "shop.py": `import nothing_of_this_name\n${FLASK}`, "words.py": 'GREETING = "one"\n' };
  const { get, edit } = await develop(t, files, "shop:app", "--python", VENV_PYTHON);
  assert.match((await get("/")).text, /ModuleNotFoundError: No module named 'nothing_of_this_name'/);
  await edit("shop.py", "import nothing_of_this_name", "");
  assert.match((await get("/")).text, /<h1>one<\/h1>/);
});

const FASTAPI = `
from fastapi import FastAPI
app = FastAPI()

@app.get("/")
async def hello():
    return {"said": "one"}

@app.get("/boom")
async def boom():
    raise LookupError("nowhere")
`;

test("a FastAPI app: edited, and its failure is told", { skip: missing("py:fastapi") }, async (t) => {
  const { get, edit, server } = await develop(t, { "api.py": FASTAPI }, "api:app", "--python", VENV_PYTHON);
  assert.equal((await get("/")).text, '{"said":"one"}');
  await edit("api.py", "one", "two");
  assert.equal((await get("/")).text, '{"said":"two"}');
  const failed = await get("/boom");
  assert.equal(failed.status, 500);
  assert.match(failed.text, /LookupError: nowhere/);
  // In the terminal, too, whole.
  await server.sees(
    /ERROR after the response: LookupError: nowhere .*\n {4}Traceback .*\n[\s\S]*? {4}[^\n]*in boom\n[\s\S]*?\n {4}LookupError: nowhere\n/,
  );
});

const THREADED = `
def app(environ, start_response):
    import prices
    start_response("200 OK", [])
    return [prices.TODAY.encode()]
`;

const MODULE = `
import { words } from "./lib/words.ts";
export default {
  fetch(request: Request): Response {
    if (new URL(request.url).pathname === "/boom") throw new RangeError("too far");
    return new Response(words.join(" "));
  },
};
`;

test("a TypeScript module and its imports: edited, broken, mended", async (t) => {
  const files = { "app.ts": MODULE, "lib/words.ts": 'export const words: string[] = ["one"];\n' };
  const { get, edit, server } = await develop(t, files, "app.ts");
  assert.equal((await get("/")).text, "one");
  await edit("lib/words.ts", "one", "two");
  assert.equal((await get("/")).text, "two");
  // A Node that strips types names the module by its URL, version included.
  assert.match((await get("/boom")).text, /RangeError: too far\n\s+at .*app\.ts\S*:5/);
  await server.sees(/ERROR .*too far[^\n]*\n {4}[\s\S]*?app\.ts\S*:5/);
  await edit("lib/words.ts", /$/, "const = 1;\n");
  assert.equal((await get("/")).status, 500);
  await edit("lib/words.ts", "const = 1;\n", "");
  assert.equal((await get("/")).text, "two");
});

test("requests that come while a new version starts wait for it: none fails, none meets the old one", {
  skip: missing("py:flask"),
}, async (t) => {
  const words = 'import time\ntime.sleep(0.5)\nGREETING = "v0"\n';
  const site = await develop(t, { "shop.py": FLASK, "words.py": words }, "shop:app", "--python", VENV_PYTHON);
  for (let version = 1; version <= 3; version++) {
    const seen = site.server.stderr.length;
    writeFileSync(join(site.directory, "words.py"), words.replace("v0", `v${version}`));
    while (!site.server.stderr.slice(seen).includes("changed: words.py"))
      await new Promise((resolve) => setTimeout(resolve, 5));
    const answers = await Promise.all(Array.from({ length: 20 }, () => site.get("/")));
    for (const { status, text } of answers) {
      assert.equal(status, 200);
      assert.match(text, new RegExp(`<h1>v${version}<`));
    }
  }
});

test("a page of static files is reloaded, and nothing is started anew", async (t) => {
  const { server, directory } = await develop(t, { "index.html": "<p>x</p>", "style.css": "" }, ".");
  const response = await fetch(`${server.url}/__sallyport/changes`);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const next = async (): Promise<string> => Buffer.from((await reader.read()).value ?? []).toString();
  const first = /data: (\S+)/.exec(await next())?.[1];
  appendFileSync(join(directory, "style.css"), "p {}");
  const second = /data: (\S+)/.exec(await next())?.[1];
  assert.ok(first && second && first !== second);
  assert.doesNotMatch(server.stderr.split("changed: style.css")[1] ?? "", /is ready/);
  await reader.cancel();
});

test("several server processes are for serve: dev says so", async () => {
  const command = [process.execPath, BIN, "dev", ".", "--server-processes", "2"];
  await assert.rejects(serveBy(command), /sallyport dev runs one server process/);
});

test("the configuration is watched, wherever the apps are", async (t) => {
  const files = {
    "site.yaml": 'listen: ["127.0.0.1:0"]\napps: { one: { static: public } }\nlog: { access: "off" }\n',
    "public/index.html": "one",
    "other/index.html": "two",
  };
  const directory = makeFolder(t);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(directory, name, ".."), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  const server = await serveBy([process.execPath, BIN, "dev", "--config", "site.yaml"], { cwd: directory });
  t.after(() => server.stop());
  const page = async (): Promise<string> => (await fetch(server.url)).text();
  assert.match(await page(), /^one/);
  writeFileSync(join(directory, "site.yaml"), files["site.yaml"].replace("public", "other"));
  await server.sees(/app one was replaced/);
  assert.match(await page(), /^two/);
  writeFileSync(join(directory, "site.yaml"), "apps: {");
  await server.sees(/ERROR .*site\.yaml/);
  assert.match(await page(), /^two/);
});

const TOLD = `
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"one"]
`;

/** A site with a configuration. `to` writes another one. */
async function configured(t: TestContext): Promise<Site & { to(config: object): void }> {
  const config = siteOf();
  const files = { "etc/site.json": JSON.stringify(config), "one/told.py": TOLD, "two/told.py": TOLD };
  const site = await develop(t, files, "--config", "etc/site.json");
  const to = (next: object): void =>
    writeFileSync(join(site.directory, "etc/site.json"), JSON.stringify({ ...config, ...next }));
  return { ...site, to };
}

const appIn = (chdir: string): object => ({ wsgi: "told:app", chdir, python: VENV_PYTHON });

const siteOf = (): object => ({
  apps: { one: appIn("../one") },
  routes: [{ path: "/", app: "one" }],
  listen: ["127.0.0.1:0"],
});

test("the directory of an app that a changed configuration brings is watched, too", async (t) => {
  const site = await configured(t);
  const { server, get, directory, to } = site;
  const routes = [
    { path: "/two", app: "two" },
    { path: "/", app: "one" },
  ];
  to({ apps: { one: appIn("../one"), two: appIn("../two") }, routes });
  await server.sees(/two is ready/);
  assert.equal((await get("/two")).text, "one");
  await change(site, () => writeFileSync(join(directory, "two/told.py"), TOLD.replace('"one"', '"two"')));
  await until(async () => (await get("/two")).text === "two");
  assert.equal((await get("/")).text, "one");
});

test("what counts at the start only, and is changed, is said to need a restart", async (t) => {
  const { server, to, get } = await configured(t);
  to({ control: "other.sock" });
  await server.sees(/ERROR a reload cannot change control: .*restart the server/);
  assert.equal((await get("/")).text, "one");
});

test("a new version that cannot be imported is not said to be reloaded", async (t) => {
  const { server, edit } = await configured(t);
  const seen = server.stderr.length;
  await edit("one/told.py", /$/, "x = (\n");
  assert.doesNotMatch(server.stderr.slice(seen), /was reloaded/);
  await edit("one/told.py", "x = (\n", "");
  const told = server.stderr.slice(seen);
  assert.match(told, /ERROR one: .*SyntaxError[\s\S]*one is ready/);
  assert.doesNotMatch(told, /was reloaded/);
});

const SIBLING = `
from flask import Flask, render_template
app = Flask(__name__)

@app.get("/")
def hello():
    import prices  # late: in the middle of a request
    return f"<h1>{prices.TODAY}</h1>" + render_template("page.html")
`;

test("modules outside of the directory are followed: imported late, broken, removed and made again", {
  skip: missing("py:flask"),
}, async (t) => {
  const beside = makeFolder(t);
  const prices = join(beside, "prices.py");
  writeFileSync(prices, 'TODAY = "one"\n');
  const files = { "shop.py": SIBLING, "templates/page.html": "<p>first</p>" };
  const args = ["shop:app", "--python", VENV_PYTHON, "--env", `PYTHONPATH=${beside}`];
  const site = await develop(t, files, ...args);
  const { server, get, edit } = site;
  assert.match((await get("/")).text, /^<h1>one<\/h1><p>first<\/p>/);
  await change(site, () => writeFileSync(prices, 'TODAY = "two"\n'));
  assert.match((await get("/")).text, /^<h1>two<\/h1>/);
  await change(site, () => writeFileSync(prices, "TODAY = (\n"));
  const broken = await get("/", "text/html");
  assert.equal(broken.status, 500);
  assert.match(broken.text, /<main>[\s\S]*<h2><code>[^<]*prices\.py:1/);
  await change(site, () => rmSync(prices, { force: true }));
  await change(site, () => writeFileSync(prices, 'TODAY = "three"\n'));
  assert.match((await get("/")).text, /^<h1>three<\/h1>/);
  await edit("templates/page.html", "first", "second");
  assert.match((await get("/")).text, /<p>second<\/p>/);
  assert.doesNotMatch(server.stderr, /changed: .*site-packages|watched/);
});

test("an ASGI app and one with threads: their modules elsewhere are followed, too", {
  skip: missing("py:fastapi"),
}, async (t) => {
  const beside = makeFolder(t);
  writeFileSync(join(beside, "prices.py"), 'TODAY = "one"\n');
  const files = { "api.py": FASTAPI.replace('"one"', "__import__('prices').TODAY"), "shop.py": THREADED };
  for (const target of [["api:app"], ["shop:app", "--threads", "4"]]) {
    const args = [...target, "--python", VENV_PYTHON, "--env", `PYTHONPATH=${beside}`];
    const site = await develop(t, files, ...args);
    const { get } = site;
    const now = /[a-z]+(?="\}|$)/.exec((await get("/")).text)?.[0];
    const next = now === "one" ? "two" : "one";
    await change(site, () => writeFileSync(join(beside, "prices.py"), `TODAY = "${next}"\n`));
    assert.match((await get("/")).text, new RegExp(next));
  }
});

test("500 files that change at once, as in a checkout, are one new version, or two on a busy machine", {
  skip: missing("py:flask"),
}, async (t) => {
  const files = { "shop.py": FLASK, "words.py": 'GREETING = "one"\n' };
  const { server, directory, get } = await develop(t, files, "shop:app", "--python", VENV_PYTHON);
  const seen = server.stderr.length;
  for (let i = 0; i < 500; i++) {
    mkdirSync(join(directory, `part${i % 20}`), { recursive: true });
    writeFileSync(join(directory, `part${i % 20}`, `m${i}.py`), `N = ${i}\n`);
  }
  writeFileSync(join(directory, "words.py"), 'GREETING = "two"\n');
  await until(async () => /<h1>two</.test((await get("/")).text));
  writeFileSync(join(directory, "words.py"), 'GREETING = "three"\n');
  await until(() => /changed: words\.py\n[\s\S]*is ready/.test(server.stderr.slice(seen)));
  const told = server.stderr.slice(seen);
  assert.ok((told.match(/changed: /g)?.length ?? 0) <= 3, told);
  assert.match(told, /changed: .* and \d+ more/);
});

test(".env needs a new version, wherever the app is, also when it is made and removed", {
  skip: missing("py:flask"),
}, async (t) => {
  const files = { "site/shop.py": FLASK, "site/words.py": 'GREETING = "one"\n' };
  const args = ["shop:app", "--chdir", "site", "--python", VENV_PYTHON];
  const { server, directory } = await develop(t, files, ...args);
  for (const act of [
    () => writeFileSync(join(directory, ".env"), "A=1\n"),
    () => writeFileSync(join(directory, ".env"), "A=2\n"),
    () => rmSync(join(directory, ".env")),
  ]) {
    const seen = server.stderr.length;
    act();
    await until(() => /changed: \.env\n[\s\S]*is ready/.test(server.stderr.slice(seen)));
  }
});

for (const [file, ...args] of [[".env"], ["vars/own.env", "--env-file", "vars/own.env"]] as const)
  test(`${file} needs a new version where the configuration is elsewhere`, async (t) => {
    const files = {
      "etc/site.json": JSON.stringify({ apps: { site: { module: "../app/site.mjs" } } }),
      "app/site.mjs": "export default (request, response) => response.end(process.env.OUR_COLOUR ?? 'none');",
      "vars/own.env": "",
    };
    const { get, server, directory } = await develop(t, files, "--config", "etc/site.json", ...args);
    assert.equal((await get("/")).text, "none");
    writeFileSync(join(directory, file), "OUR_COLOUR=blue\n");
    await until(() => server.stderr.includes(`changed: `));
    await until(async () => (await get("/")).text === "blue");
  });

test("a configuration with several server processes is developed with one, and the terminal says so", async (t) => {
  const config = { apps: { site: { module: "site.mjs" } }, listen: ["127.0.0.1:0"], serverProcesses: 3 };
  const files = {
    "site.mjs": "export default (request, response) => response.end('one');",
    "site.json": JSON.stringify(config),
  };
  const { get, server } = await develop(t, files, "--config", "site.json");
  assert.equal((await get("/")).text, "one");
  await server.sees(/one server process runs while you develop, not 3/);
});
