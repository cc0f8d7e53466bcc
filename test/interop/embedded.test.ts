// Flask and Django inside the server processes, two of which share the address.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { needs, VENV_PYTHON } from "../needs.ts";
import type { Served } from "../serve.ts";
import { APPS, json, serveSite, sha256, upload, visit } from "./site.ts";

const EMBEDDED = ["--embedded", "--server-processes", "2"];
const FLASK = `${APPS}flask_site`;

test("Flask: templates, forms, uploads, sessions and streams work in two server processes", async (t) => {
  if (!needs(t, "py:flask", "py:requests")) return;
  const site = await serveSite("app", FLASK, ...EMBEDDED);
  t.after(() => site.stop());
  const ask = (path: string, init?: RequestInit): Promise<Response> => fetch(site.url + path, init);
  assert.match(await (await ask("/")).text(), /href="\/static\/style\.css"/);
  const body = new URLSearchParams({ a: "é &=" });
  assert.deepEqual(await json(ask("/form", { method: "POST", body })), { a: ["é &="] });
  const bytes = Buffer.alloc(300_000, "bytes");
  const form = { method: "POST", body: upload("one.bin", bytes, "image/png") };
  assert.equal((await json(ask("/upload", form)))[0].sha256, sha256(bytes));
  assert.equal(await (await ask("/stream?word=row")).text(), "row 0\nrow 1\nrow 2\nrow 3\nrow 4\n");
  assert.deepEqual((await visit("flask_session.py", site.url)).after_login, {
    user: "ann",
    messages: ["welcome"],
  });
});

test("Django: the admin works in two server processes", async (t) => {
  if (!needs(t, "py:django", "py:requests")) return;
  const folder = mkdtempSync(join(tmpdir(), "sallyport-django-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(`${APPS}django_site`, folder, { recursive: true });
  const env = { ...process.env, DJANGO_SUPERUSER_PASSWORD: "secret" };
  const manage = (...args: string[]) =>
    execFileSync(VENV_PYTHON, ["manage.py", ...args], { cwd: folder, env, stdio: "pipe" });
  manage("migrate", "--verbosity", "0");
  manage("createsuperuser", "--noinput", "--username", "admin", "--email", "admin@example.org");
  const site = await serveSite("project.wsgi", folder, ...EMBEDDED);
  t.after(() => site.stop());
  const seen = await visit("django_admin.py", site.url);
  assert.equal(seen.after_login, "Site administration");
  assert.equal(seen.on_the_site, "<li>Ὀδύσσεια (1488)</li>");
  assert.equal(seen.after_delete, "<li>no books</li>");
  assert.equal((await fetch(`${site.url}/boom/`)).status, 500);
  await site.sees(/RuntimeError: boom in a view/);
});

test("the server processes of a Flask site are replaced under load, and no request is lost", async (t) => {
  if (!needs(t, "py:flask")) return;
  const site = await serveSite("app", FLASK, ...EMBEDDED);
  t.after(() => site.stop());
  const replaced = site.sees(/all server processes were replaced/);
  let over = false;
  void replaced.then(() => (over = true));
  const lanes = Array.from({ length: 8 }, (_, lane) => visitor(site, lane % 2 === 0, () => over));
  process.kill(site.pid, "SIGHUP");
  const counts = await Promise.all(lanes);
  await replaced;
  assert.ok(
    counts.every((count) => count > 2),
    counts.join(),
  );
});

/** Asks until `over`, on a kept connection or on one for each request; gives how often it was answered. Rejects at a failure. */
async function visitor({ url }: Served, keepAlive: boolean, over: () => boolean): Promise<number> {
  const agent = new Agent({ keepAlive, maxSockets: 1 });
  let count = 0;
  for (; !over(); count++) assert.equal(await statusOf(`${url}/hello/you`, agent), 200);
  agent.destroy();
  return count;
}

const statusOf = (url: string, agent: Agent): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      response.resume().once("end", () => resolve(response.statusCode));
    }).once("error", reject);
  });
