// Real programs in other languages: compiled C, Perl's CGI.pm, gitweb.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Gateway } from "../../../src/exchange/index.ts";
import { makeFolder } from "../../kit/make-folder.ts";
import { needs } from "../../kit/needs.ts";
import { serve } from "../../kit/serve-http1.ts";
import { program, startCgi } from "./start-cgi.ts";

async function directoryFor(t: TestContext): Promise<string> {
  const directory = makeFolder(t);
  return directory;
}

async function urlOf(t: TestContext, gateway: Gateway): Promise<string> {
  const { port } = await serve(t, (exchange) => gateway.handle(exchange));
  return `http://127.0.0.1:${port}`;
}

/** Like `needs`, for what is no program on PATH. */
function has(t: TestContext, what: string, here: boolean): boolean {
  if (here) return true;
  if (process.env.CI === "true") throw new Error(`${what} is missing`);
  t.skip(`${what} is not on this machine`);
  return false;
}

test("a compiled C program answers GET, POST with a length, and POST in chunks", async (t) => {
  if (!needs(t, "cc")) return;
  const binary = join(await directoryFor(t), "show");
  execFileSync("cc", ["-O1", "-o", binary, program("show.c")]);
  const url = await urlOf(t, await startCgi(t, ".", { program: binary }));
  const get = await fetch(`${url}/a%20b?c`);
  assert.deepEqual([get.status, get.statusText, await get.text()], [201, "Created", "GET /a b 0\n"]);
  const post = await fetch(url, { method: "POST", body: "x".repeat(100_000) });
  assert.equal(await post.text(), "POST / 100000\n");
  const body = new Blob(["x".repeat(300_000)]).stream();
  const chunked = await fetch(url, { method: "POST", body, duplex: "half" });
  assert.equal(await chunked.text(), "POST / 300000\n");
});

test("Perl's CGI.pm reads a query, a form, an upload and a cookie", async (t) => {
  const here = needs(t, "perl") && has(t, "CGI.pm", spawnSync("perl", ["-MCGI", "-e", "1"]).status === 0);
  if (!here) return;
  const url = await urlOf(t, await startCgi(t, "show.pl"));
  const get = await fetch(`${url}/?name=caf%C3%A9`, { headers: { Cookie: "taste=sweet" } });
  assert.equal(get.headers.get("content-type"), "text/plain; charset=utf-8");
  assert.match(get.headers.get("set-cookie") ?? "", /^seen=1/);
  assert.equal(Buffer.from(await get.arrayBuffer()).toString("utf8"), "GET|café|0|sweet");
  const post = await fetch(url, { method: "POST", body: new URLSearchParams({ name: "a&b" }) });
  assert.equal(await post.text(), "POST|a&b|0|");
  const form = new FormData();
  form.set("name", "upload");
  form.set("file", new Blob(["x".repeat(200_000)]), "file.txt");
  const upload = await fetch(url, { method: "POST", body: form });
  assert.equal(await upload.text(), "POST|upload|200000|");
});

const GITWEB = "/usr/share/gitweb/gitweb.cgi";

test("gitweb shows a repository", async (t) => {
  if (!needs(t, "git") || !has(t, "gitweb", existsSync(GITWEB))) return;
  const directory = await directoryFor(t);
  const git = (...args: string[]) => execFileSync("git", args, { cwd: directory, stdio: "pipe" });
  const identity = ["-c", "user.name=a", "-c", "user.email=a@b"];
  git("init", "-q", "-b", "main", "one");
  git("-C", "one", ...identity, "commit", "-q", "--allow-empty", "-m", "a first commit");
  const config = join(directory, "gitweb.conf");
  await writeFile(config, `$projectroot = "${directory}";\n$feature{"pathinfo"}{"default"} = [1];\n1;\n`);
  const url = await urlOf(t, await startCgi(t, ".", { program: GITWEB, env: { GITWEB_CONFIG: config } }));
  const list = await fetch(url);
  assert.equal(list.status, 200);
  assert.match(await list.text(), /one\/\.git/);
  const log = await fetch(`${url}/?p=one/.git;a=log`);
  assert.match(await log.text(), /a first commit/);
  assert.equal((await fetch(`${url}/?p=none`)).status, 404);
});
