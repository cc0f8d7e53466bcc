// Applications elsewhere, and PHP, as the configuration names them.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer as createSocket } from "node:net";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Config } from "../../src/config/config.ts";
import { silentLog } from "../../src/exchange/index.ts";
import { createServer } from "../../src/server/create.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { needs } from "../kit/needs.ts";
import { until } from "../kit/until.ts";

const directory = makeFolder();

const SCRIPT =
  '<?php echo join("|", [$_SERVER["SCRIPT_NAME"], $_SERVER["PATH_INFO"] ?? "", $_GET["a"] ?? "", getenv("NAME")]);';
const FILES: Readonly<Record<string, string>> = {
  "site/index.php": SCRIPT,
  "site/below/start.php": SCRIPT,
  "site/style.css": "body {}",
  "blog/index.php":
    '<?php echo join("|", [$_SERVER["REQUEST_METHOD"], $_SERVER["REQUEST_URI"], $_SERVER["SCRIPT_NAME"]]);',
  "blog/admin/index.php": "<?php echo 'admin';",
  "blog/style.css": "p {}",
  "elsewhere/style.css": "a {}",
  "elsewhere/admin.php": "<?php echo 'admin';",
  "elsewhere/program": "#!/bin/sh\nprintf 'Content-Type: text/plain\n\n'",
  "api.mjs":
    'export default (request) => new Response(request.method + " " + new URL(request.url).pathname);',
};
for (const [name, text] of Object.entries(FILES)) {
  mkdirSync(dirname(join(directory, name)), { recursive: true });
  writeFileSync(join(directory, name), text, { mode: 0o755 });
}
mkdirSync(join(directory, "linked"));
symlinkSync("../elsewhere", join(directory, "linked/there"));

/** The URL of a server that ends with the test. */
async function started(t: TestContext, config: Partial<Config> & Pick<Config, "apps">): Promise<string> {
  const server = createServer({ listen: ["127.0.0.1:0"], ...config }, { directory, log: silentLog });
  t.after(() => server.stop(0));
  return `${(await server.start())[0]}`.replace(/^\w+:\/\/(?!127)/, "");
}

const textOf = async (url: string): Promise<string> => (await fetch(url)).text();

test("php: a directory is all that it takes; php-cgi is started for it", async (t) => {
  if (!needs(t, "php-cgi")) return;
  const url = await started(t, { apps: { site: { php: "site" } }, routes: [{ path: "/wiki", app: "site" }] });
  assert.equal(await textOf(`${url}/wiki/?a=1`), "/wiki/index.php||1|");
  assert.equal(await textOf(`${url}/wiki/index.php/x`), "/wiki/index.php|/x||");
  assert.equal((await fetch(`${url}/wiki/style.css`)).status, 404);
  assert.equal((await fetch(`${url}/wiki/none.php`)).status, 404);
});

test("php: a front controller answers where neither a file nor a script does, as WordPress and Laravel want it", async (t) => {
  if (!needs(t, "php-cgi")) return;
  const url = await started(t, {
    apps: { files: { static: "blog", fallback: "blog" }, blog: { php: "blog", fallback: "index.php" } },
    routes: [
      { path: "/blog", suffix: ".php", app: "blog" },
      { path: "/blog", app: "files" },
    ],
  });
  for (const path of ["/blog/", "/blog/2026/hello/?p=1", "/blog/none.php", "/blog/none/"])
    assert.equal(await textOf(url + path), `GET|${path}|/blog/index.php`);
  const posted = await fetch(`${url}/blog/`, { method: "POST", body: "x" });
  assert.equal(await posted.text(), "POST|/blog/|/blog/index.php");
  assert.equal(await textOf(`${url}/blog/style.css`), "p {}");
  assert.equal(await textOf(`${url}/blog/admin/`), "admin");
  assert.equal(await textOf(`${url}/blog/admin`), "admin"); // after a redirect
  assert.equal((await fetch(`${url}/blog/a%2fb`)).status, 400);
});

test("links: relative to the configuration, for files, scripts and programs", async (t) => {
  const apps = { files: { static: "linked" }, tools: { cgi: "linked" } };
  const routes = [{ app: "files" }, { path: "/tools", app: "tools" }];
  const [paths, links] = [["/there/style.css", "/tools/there/program"], ["elsewhere"]];
  const statuses = async (url: string) =>
    Promise.all(paths.map(async (path) => (await fetch(url + path)).status));
  assert.deepEqual(await statuses(await started(t, { apps, routes })), [403, 403]);
  const linked = { files: { ...apps.files, links }, tools: { ...apps.tools, links } };
  assert.deepEqual(await statuses(await started(t, { apps: linked, routes })), [200, 200]);
  if (!needs(t, "php-cgi")) return;
  const php = await started(t, { apps: { site: { php: "linked", links } } });
  assert.equal(await textOf(`${php}/there/admin.php`), "admin");
});

test("static: another app answers where there is no file, whatever the routes say of it", async (t) => {
  const url = await started(t, {
    apps: { files: { static: "blog", fallback: "api" }, api: { module: "api.mjs" } },
    routes: [{ app: "files" }],
  });
  assert.equal(await textOf(`${url}/style.css`), "p {}");
  assert.equal(await textOf(`${url}/orders/7`), "GET /orders/7");
  assert.equal(await (await fetch(url, { method: "POST" })).text(), "POST /");
  assert.equal((await fetch(`${url}/style.css`, { method: "POST" })).status, 405);
});

test("static: the access log names the app that has answered in the place of a file", async (t) => {
  const access = join(directory, "fallback.log");
  const url = await started(t, {
    apps: { files: { static: "blog", fallback: "api" }, api: { module: "api.mjs" } },
    routes: [{ app: "files" }],
    log: { access, accessFormat: "$request $app $interface" },
  });
  for (const path of ["/style.css", "/orders/7"]) await textOf(url + path);
  await until(
    () =>
      readFileSync(access, "utf8") ===
      "GET /style.css HTTP/1.1 files static\nGET /orders/7 HTTP/1.1 api fetch\n",
  );
});

test("php: the command, its environment, and the index may be others", async (t) => {
  if (!needs(t, "php-cgi")) return;
  const fastcgi = {
    command: ["php-cgi", "-d", "variables_order=EGPCS"],
    processes: 1,
    env: { NAME: "ours" },
  };
  const url = await started(t, { apps: { site: { php: "site", fastcgi, index: ["start.php"] } } });
  assert.equal(await textOf(`${url}/below/`), "/below/start.php|||ours");
});

test("php: where PHP listens already, it is asked there, also at a path beside the configuration", async (t) => {
  if (!needs(t, "php-cgi")) return;
  const php = spawn("php-cgi", ["-b", join(directory, "php.sock")], { stdio: "ignore" });
  t.after(() => php.kill("SIGKILL"));
  const url = await started(t, { apps: { site: { php: "site", fastcgi: "unix:php.sock" } } });
  let answer = "502";
  // Until php-cgi listens; the server is not started anew.
  while (answer.startsWith("502")) answer = await textOf(`${url}/?a=2`);
  assert.equal(answer, "/index.php||2|");
});

test("a php-cgi that is not installed makes the start fail and is named", async (t) => {
  const site = { php: "site", fastcgi: { command: ["no-such-php"] } };
  await assert.rejects(started(t, { apps: { site } }), {
    code: "ERR_SALLYPORT_SPAWN_FAILED",
    message: /no-such-php/,
  });
});

const APPLICATION = fileURLToPath(new URL("programs/application.pl", import.meta.url));

test("fastcgi: a command is started and asked; its local redirects go through the routes", async (t) => {
  if (!needs(t, "perl") || !hasFcgi(t)) return;
  const command = [APPLICATION];
  const perl = { fastcgi: { command, env: { GREETING: "hi" }, processes: 2 }, variables: { EXTRA: "more" } };
  const apps = { perl, other: { app: (request: Request) => new Response(`other ${request.url}`) } };
  const url = await started(t, { apps, routes: [{ path: "/perl", app: "perl" }, { app: "other" }] });
  assert.equal(await textOf(`${url}/perl/x`), "/perl|/x|more|hi");
  assert.equal(await textOf(`${url}/perl/redirect`), `other ${url}/elsewhere?from=perl`);
  assert.match(await textOf(`${url}/perl/circle`), /ERR_SALLYPORT_CGI_REDIRECT_LOOP/);
});

/** Perl's module for FastCGI is a package of its own (libfcgi-perl). */
function hasFcgi(t: TestContext): boolean {
  const { status } = spawnSync("perl", ["-MFCGI", "-e", "1"]);
  if (status === 0) return true;
  if (process.env.CI === "true") throw new Error("Perl has no module FCGI");
  t.skip("not on this machine: Perl's module FCGI");
  return false;
}

/** An app at an address, or at several. */
const reached = (protocol: string, address: string | string[]): Config["apps"][string] =>
  Object.fromEntries([[protocol, address]]) as unknown as Config["apps"][string];

for (const protocol of ["fastcgi", "scgi", "uwsgi"] as const) {
  test(`${protocol}: an address at a path beside the configuration, several of them, and the one that is alive answers`, async (t) => {
    const app = { app: () => new Response(protocol) };
    await started(t, { listen: [`${protocol}://unix:${protocol}.sock`], apps: { app } });
    const front = reached(protocol, ["unix:none.sock", `unix:${protocol}.sock`]);
    const url = await started(t, { apps: { front } });
    for (let i = 0; i < 4; i++) assert.equal(await textOf(url), protocol);
  });

  test(`${protocol}: an application that is not there costs a request 502, and needs no restart to be found later`, async (t) => {
    const url = await started(t, {
      apps: { front: reached(protocol, `unix:${protocol}-late.sock`) },
    });
    assert.equal((await fetch(url)).status, 502);
    await started(t, {
      listen: [`${protocol}://unix:${protocol}-late.sock`],
      apps: { app: { app: () => new Response("up") } },
    });
    assert.equal(await textOf(url), "up");
  });
}

for (const protocol of ["scgi", "uwsgi"] as const) {
  test(`${protocol}: redirects of an application that lead in a circle end with 500`, async (t) => {
    const path = join(directory, `${protocol}-circle.sock`);
    const raw = createSocket((socket) => {
      socket.on("error", () => {}).once("data", () => socket.end("Location: /again\r\n\r\n"));
    }).listen(path);
    t.after(() => raw.close());
    const response = await fetch(await started(t, { apps: { front: reached(protocol, `unix:${path}`) } }));
    assert.match(await response.text(), /ERR_SALLYPORT_CGI_REDIRECT_LOOP/);
    assert.equal(response.status, 500);
  });
}

test("app: an app of the configuration itself, with the limit of its time", async (t) => {
  const app = { app: () => new Promise<Response>(() => {}), timeout: "50ms" };
  const response = await fetch(await started(t, { apps: { app } }));
  assert.equal(response.status, 504);
});
