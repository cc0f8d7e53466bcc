// `sallyport dev`: what a developer meets while an application is edited, broken and mended.
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeFolder } from "../kit/make-folder.ts";
import { missing, VENV_PYTHON } from "../kit/needs.ts";
import { type Served, serveBy } from "../kit/serve.ts";

const BIN = fileURLToPath(new URL("../../bin/sallyport.js", import.meta.url));

interface Site {
  readonly server: Served;
  readonly directory: string;
  get(path: string, accept?: string): Promise<{ status: number; text: string }>;
  /** Replaces text of a file, and resolves once the new version is there, or has failed. */
  edit(file: string, from: string | RegExp, to: string): Promise<void>;
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
    /ERROR LookupError: nowhere .*\n {4}Traceback .*\n[\s\S]*? {4}[^\n]*in boom\n[\s\S]*?\n {4}LookupError: nowhere\n/,
  );
});

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
  const { get, edit } = await develop(t, files, "app.ts");
  assert.equal((await get("/")).text, "one");
  await edit("lib/words.ts", "one", "two");
  assert.equal((await get("/")).text, "two");
  assert.match((await get("/boom")).text, /RangeError: too far\n\s+at .*app\.ts:5/);
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
