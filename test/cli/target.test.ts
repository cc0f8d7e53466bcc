import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseCommandLine } from "../../src/cli/command-line.ts";
import { serveSettingsOf } from "../../src/cli/settings.ts";
import { targetOf } from "../../src/cli/target.ts";
import type { SallyportError } from "../../src/exchange/index.ts";
import { makeFolder } from "../kit/make-folder.ts";

const here = makeFolder();

for (const name of ["files/cgi-bin", "package", "empty"]) mkdirSync(join(here, name), { recursive: true });
for (const name of ["package/__init__.py", "app.ts", "app.mjs", "plain.py", "notes.txt", "other.yaml"])
  writeFileSync(join(here, name), "");
for (const name of ["program", "program.py"]) {
  writeFileSync(join(here, name), "#!/bin/sh\n");
  chmodSync(join(here, name), 0o755);
}
writeFileSync(join(here, "my-shop.wsgi"), "");
writeFileSync(join(here, "sallyport.config.yaml"), "apps: { a: { static: files } }\ngrace: 5\n");

const TARGETS: [string | undefined, string, string][] = [
  ["shop:app", "python", "shop:app"],
  ["shop.wsgi", "python", "shop.wsgi"],
  ["shop:make_app()", "python", "shop:make_app()"],
  ["package", "python", "package"],
  ["./package", "files", join(here, "package")],
  ["files", "files", join(here, "files")],
  [".", "files", here],
  ["app.ts", "module", join(here, "app.ts")],
  ["app.mjs", "module", join(here, "app.mjs")],
  ["program", "program", join(here, "program")],
  ["program.py", "program", join(here, "program.py")],
  ["sallyport.config.yaml", "config", join(here, "sallyport.config.yaml")],
  [undefined, "config", join(here, "sallyport.config.yaml")],
];

for (const [word, kind, name] of TARGETS) {
  test(`the target ${word ?? "(none)"} is ${kind}`, () =>
    assert.deepEqual(targetOf(word, undefined, here), { kind, name }));
}

const REFUSED: [string, RegExp][] = [
  ["plain.py:app", /^plain\.py:app is no name of a Python app; did you mean plain:app\?$/],
  ["package/__init__.py:app", /did you mean package\.__init__:app\?$/],
  ["plain.py", /^plain\.py is not executable: for its Python app say plain:app; for CGI, chmod \+x it$/],
  ["other.yaml", /^other\.yaml is not executable: for a configuration say --config$/],
  [
    "my-shop.wsgi",
    /^my-shop\.wsgi is no module by its name, .*: ln -s my-shop\.wsgi my_shop_wsgi\.py, and my_shop_wsgi:application$/,
  ],
  ["notes.txt", /^notes\.txt is not executable; for a CGI program, chmod \+x it$/],
  ["no/such/file", /^there is no file no\/such\/file, and it is no name of a Python app/],
  ["gone.ts", /^there is no file gone\.ts in \//],
  ["gone.py", /^there is no file gone\.py in \//],
  ["a b:c", /^there is no file a b:c/],
];

for (const [word, pattern] of REFUSED) {
  // Whoever runs the tests as root may execute nothing without an x bit either.
  test(`the target ${word} is refused with what to do`, () =>
    assert.throws(
      () => targetOf(word, undefined, here),
      (error: SallyportError) =>
        error.code === "ERR_SALLYPORT_TARGET_NOT_FOUND" && pattern.test(error.message),
    ));
}

test("a target and --config at once, or neither where no configuration lies, cannot be meant", () => {
  assert.throws(() => targetOf("shop:app", "x.yaml", here), { code: "ERR_SALLYPORT_USAGE" });
  assert.throws(() => targetOf(undefined, undefined, join(here, "empty")), { code: "ERR_SALLYPORT_USAGE" });
});

test("of two configurations in one place the user must choose", () => {
  const place = join(here, "both");
  mkdirSync(place);
  for (const name of ["sallyport.config.ts", "sallyport.config.toml"]) writeFileSync(join(place, name), "");
  assert.throws(
    () => targetOf(undefined, undefined, place),
    /several configurations here \(sallyport\.config\.ts, sallyport\.config\.toml\); choose with --config/,
  );
});

/** The settings of a command line, without `serve`. */
async function settingsFor(...args: string[]) {
  const { flags, words } = parseCommandLine(args);
  return (await serveSettingsOf(targetOf(words[0], flags.config, here), flags, here)).settings;
}

test("a Python app gets the options that are for it", async () => {
  const args = [
    "shop:app",
    "--chdir",
    "files",
    "--processes",
    "2",
    "--threads",
    "3",
    "--timeout",
    "5",
    "--env",
    "A=b=c",
  ];
  const { apps, routes } = await settingsFor(...args, "--python", "python3", "--mount", "/shop/");
  assert.deepEqual(apps.app, {
    callable: "shop:app",
    chdir: join(here, "files"),
    python: "python3",
    processes: 2,
    threads: 3,
    timeout: 5000,
    env: { A: "b=c" },
  });
  assert.deepEqual(routes, [{ path: "/shop", app: "app" }]);
});

test("--interface says what a Python app is written for, and its own options go with it", async () => {
  const asgi = await settingsFor("chat:app", "--interface", "asgi", "--lifespan", "on", "--loop", "asyncio");
  assert.deepEqual(asgi.apps.app, { asgi: "chat:app", chdir: here, lifespan: "on", loop: "asyncio" });
  const files = await settingsFor("chat:app", "--interface", "asgi", "--pathsend");
  assert.deepEqual(files.apps.app, { asgi: "chat:app", chdir: here, pathsend: true });
  const wsgi = await settingsFor("shop:app", "--interface", "wsgi", "--threads", "2");
  assert.deepEqual(wsgi.apps.app, { wsgi: "shop:app", chdir: here, threads: 2 });
  const auto = await settingsFor("shop:app", "--interface", "auto", "--lifespan", "off");
  assert.deepEqual(auto.apps.app, { callable: "shop:app", chdir: here, lifespan: "off" });
});

for (const [args, complaint] of [
  [["--interface", "asgi", "--threads", "2"], /--threads is for WSGI apps, and --interface says asgi/],
  [["--interface", "wsgi", "--loop", "uvloop"], /--loop is for ASGI apps, and --interface says wsgi/],
  [["--interface", "wsgi", "--pathsend"], /--pathsend is for ASGI apps, and --interface says wsgi/],
  [["--interface", "cgi"], /--interface must be one of wsgi, asgi, auto, not "cgi"/],
] as const) {
  test(`${args.join(" ")} is refused`, async () => {
    await assert.rejects(settingsFor("shop:app", ...args), complaint);
  });
}

test("--cgi PREFIX runs what lies below that path of the directory", async () => {
  const { apps, routes } = await settingsFor(
    "files",
    "--cgi",
    "/cgi-bin",
    "--mount",
    "/x",
    "--processes",
    "4",
  );
  assert.deepEqual(apps, {
    app: { static: join(here, "files") },
    cgi: { cgi: join(here, "files/cgi-bin"), documentRoot: join(here, "files"), processes: 4 },
  });
  assert.deepEqual(routes, [
    { path: "/x", app: "app" },
    { path: "/x/cgi-bin", app: "cgi" },
  ]);
});

test("options replace those of the configuration", async () => {
  const { grace, listen, limits, log } = await settingsFor(
    "--grace",
    "1",
    "--host",
    "[::1]",
    "--port",
    "0",
    "--max-body",
    "1K",
    "--access-log",
    "a.log",
  );
  assert.deepEqual([grace, limits.body, log.access], [1000, 1024, join(here, "a.log")]);
  assert.deepEqual(listen, [{ protocol: "http", kind: "tcp", host: "::1", port: 0 }]);
});

test("without options the configuration holds, and the access log goes to standard output", async () => {
  const { grace, listen, log } = await settingsFor();
  assert.deepEqual([grace, log.access], [5000, "-"]);
  assert.deepEqual(listen, [{ protocol: "http", kind: "tcp", host: "127.0.0.1", port: 8000 }]);
});

test("--unix and --fd listen there alone, unless a host or port is given too", async () => {
  const unix = { protocol: "http", kind: "unix", path: join(here, "a.sock"), mode: 0o660 };
  const { listen } = await settingsFor("files", "--unix", "a.sock", "--unix-mode", "660");
  assert.deepEqual(listen, [unix]);
  const both = await settingsFor(
    "files",
    "--unix",
    "a.sock",
    "--unix-mode",
    "660",
    "--fd",
    "3",
    "--port",
    "1",
  );
  assert.deepEqual(both.listen, [
    { protocol: "http", kind: "fd", fd: 3 },
    unix,
    { protocol: "http", kind: "tcp", host: "127.0.0.1", port: 1 },
  ]);
});

test("--http, --fastcgi, --scgi and --uwsgi listen at their addresses, each as often as it is given", async () => {
  const args = [
    "--fastcgi",
    "9000",
    "--scgi",
    "unix:s.sock",
    "--fastcgi",
    "fd:0",
    "--http",
    "[::1]:80",
    "--port",
    "1",
  ];
  const { listen } = await settingsFor("files", ...args, "--unix-owner", "www");
  assert.deepEqual(listen, [
    { protocol: "http", kind: "tcp", host: "127.0.0.1", port: 1 },
    { protocol: "http", kind: "tcp", host: "::1", port: 80 },
    { protocol: "fastcgi", kind: "tcp", host: "127.0.0.1", port: 9000 },
    { protocol: "fastcgi", kind: "fd", fd: 0 },
    { protocol: "scgi", kind: "unix", path: join(here, "s.sock"), owner: "www" },
  ]);
});

test("--trust, --forwarded and --proxy-protocol hold for every address, those of a configuration, too", async () => {
  const args = ["--trust", "10.0.0.0/8", "--trust", "unix:", "--forwarded", "forwarded", "--proxy-protocol"];
  for (const target of [[], ["files", "--port", "8000"]]) {
    const { trust, forwarded, listen } = await settingsFor(...target, ...args);
    assert.deepEqual(trust, [{ kind: "range", address: "10.0.0.0", bits: 8 }, { kind: "unix" }]);
    assert.deepEqual(forwarded, ["forwarded"]);
    const address = { protocol: "http", kind: "tcp", host: "127.0.0.1", port: 8000, proxyProtocol: true };
    assert.deepEqual(listen, [address]);
  }
});

const USELESS: string[][] = [
  ["files", "--threads", "2"],
  ["files", "--env", "A=b"],
  ["app.ts", "--processes", "2"],
  ["shop:app", "--cgi", "/cgi-bin"],
  ["--config", "sallyport.config.yaml", "--python", "python3"],
  ["files", "--unix-mode", "660"],
  ["files", "--unix-owner", "www", "--scgi", "9000"],
];

for (const args of USELESS) {
  test(`${args.join(" ")}: an option without use is refused rather than ignored`, () =>
    assert.rejects(settingsFor(...args), { code: "ERR_SALLYPORT_USAGE" }));
}

/** A project as `django-admin startproject` makes it, its settings in a module or in a package. */
function djangoProject(settings: string, ...modules: string[]): string {
  const project = mkdtempSync(join(here, "django-"));
  const text = `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "${settings}")\n`;
  writeFileSync(join(project, "manage.py"), text);
  mkdirSync(join(project, "shop"));
  for (const module of modules) writeFileSync(join(project, "shop", `${module}.py`), "");
  return project;
}

test("the target manage.py is the application of its Django project", () => {
  const project = djangoProject("shop.settings.dev", "wsgi", "asgi");
  const path = join(project, "manage.py");
  const found = (wanted?: "wsgi" | "asgi") => targetOf(path, undefined, here, wanted);
  assert.deepEqual(found(), { kind: "python", name: "shop.wsgi:application", directory: project });
  assert.deepEqual(found("asgi"), { kind: "python", name: "shop.asgi:application", directory: project });
});

test("a manage.py without an application beside it is a file like others", () => {
  const path = join(djangoProject("shop.settings"), "manage.py");
  assert.throws(() => targetOf(path, undefined, here), { code: "ERR_SALLYPORT_TARGET_NOT_FOUND" });
});

test("a configuration of another server is told as such, and a module is not named by its file", () => {
  for (const [name, server] of [
    ["gunicorn.conf.py", "gunicorn"],
    ["uwsgi.ini", "uWSGI or Paste"],
    ["hypercorn.toml", "Hypercorn"],
  ] as const) {
    writeFileSync(join(here, name), "");
    const message = new RegExp(`^${name} is a configuration of ${server}; Sallyport has.*docs/moving\\.md`);
    assert.throws(() => targetOf(name, undefined, here), { message, code: "ERR_SALLYPORT_USAGE" });
    assert.throws(() => targetOf(undefined, name, here), { message });
  }
  assert.throws(() => targetOf("absent.py:app", undefined, here), {
    message: /there is no file absent\.py in .*named as module:callable/,
  });
});
