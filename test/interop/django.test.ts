// Django, newest version, behind the whole server: a project with migrations, the admin, sessions on SQLite, uploads.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { missing, VENV_PYTHON } from "../kit/needs.ts";
import type { Served } from "../kit/serve.ts";
import { MIB, uploadBig } from "./big-upload.ts";
import { APPS, json, serveSite, visit } from "./site.ts";

/** A copy of the project with a migrated database and an administrator. */
function makeProject(): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-django-"));
  cpSync(`${APPS}django_site`, folder, { recursive: true });
  const manage = (...args: string[]) =>
    execFileSync(VENV_PYTHON, ["manage.py", ...args], {
      cwd: folder,
      env: { ...process.env, DJANGO_SUPERUSER_PASSWORD: "secret" },
      stdio: "pipe",
    });
  manage("migrate", "--verbosity", "0");
  manage("createsuperuser", "--noinput", "--username", "admin", "--email", "admin@example.org");
  return folder;
}

describe("Django", { skip: missing("py:django", "py:requests") }, () => {
  let folder: string;
  let site: Served;
  const get = (path: string, init?: RequestInit) => fetch(site.url + path, init);

  before(async () => {
    folder = makeProject();
    site = await serveSite("project.wsgi", folder, "--processes", "2", "--max-body", "1G");
  });
  after(async () => {
    await site?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  test("the admin works: login with CSRF token and session, adding, changing and deleting a book, logout", async () => {
    assert.deepEqual(await visit("django_admin.py", site.url), {
      without_login: ["/admin/login/", "next=/admin/"],
      wrong_password: "Please enter the correct username and password",
      after_login: "Site administration",
      session_cookie: { httponly: true, path: "/" },
      added: "was added successfully",
      on_the_site: "<li>Ὀδύσσεια (1488)</li>",
      changed: "was changed successfully",
      after_change: "<li>The Odyssey (1488)</li>",
      deleted: "was deleted successfully",
      after_delete: "<li>no books</li>",
      after_logout: "/admin/login/",
    });
  });

  test("a POST without the CSRF token is refused by Django", async () => {
    const body = new URLSearchParams({ username: "admin", password: "secret" });
    assert.equal((await get("/admin/login/", { method: "POST", body })).status, 403);
  });

  test("the admin's static files are served", async () => {
    const response = await get("/static/admin/css/base.css");
    assert.equal(response.headers.get("content-type"), "text/css");
    assert.match(await response.text(), /DJANGO Admin styles/);
  });

  test("200 MB are uploaded through a temporary file, byte for byte", async () => {
    const size = 200 * MIB;
    const { answer, sha256 } = await uploadBig(`${site.url}/upload/`, size);
    assert.deepEqual(answer, { name: "big.bin", size, kept: size, sha256 });
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.endsWith(".upload")),
      [],
    );
  });

  test("a download keeps its name and length", async () => {
    const response = await get("/download/");
    assert.equal(response.headers.get("content-disposition"), 'attachment; filename="views.py"');
    const text = await response.text();
    assert.equal(response.headers.get("content-length"), String(Buffer.byteLength(text)));
    assert.match(text, /^"""Views that lean on the server/);
  });

  test("a streaming response arrives whole", async () => {
    assert.equal(await (await get("/stream/")).text(), "row 0\nrow 1\nrow 2\nrow 3\nrow 4\n");
  });

  test("the request knows its address", async () => {
    const url = `${site.url}/where/?q=%C3%A9`;
    assert.deepEqual(await json(fetch(url)), { url, secure: false, get: { q: "é" } });
  });

  test("a foreign Host is Django's 400", async () => {
    const { status } = await new Promise<{ status: number | undefined }>((resolve, reject) => {
      request(site.url, { headers: { Host: "evil.example" } })
        .once("response", (response) => resolve({ status: response.resume().statusCode }))
        .once("error", reject)
        .end();
    });
    assert.equal(status, 400);
  });

  test("a missing slash is redirected", async () => {
    const response = await get("/where?a=1", { redirect: "manual" });
    assert.deepEqual([response.status, response.headers.get("location")], [301, "/where/?a=1"]);
  });

  test("an exception in a view is Django's 500, with its traceback in our log", async () => {
    assert.equal((await get("/boom/")).status, 500);
    await site.sees(/RuntimeError: boom in a view/);
  });
});
