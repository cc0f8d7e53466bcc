import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCommandLine } from "../../src/cli/command-line.ts";
import { FOREIGN_OPTIONS, foreignOption } from "../../src/cli/foreign-options.ts";
import { OPTIONS } from "../../src/cli/options.ts";

test("options of other servers are answered with ours", () => {
  for (const [given, said] of [
    [["app:app", "--workers", "4"], /--workers is an option of gunicorn.*here it is --processes N/],
    [["app:app", "-w", "4"], /-w is an option of .*--processes N/],
    [["app:app", "-b", "0.0.0.0:80"], /-b is an option of .*--http ADDRESS/],
    [["app:app", "--bind=0.0.0.0:80"], /--bind .*--http ADDRESS/],
    [["app:app", "--access-logfile", "-"], /--access-log FILE/],
    [
      ["app:app", "-k", "uvicorn.workers.UvicornWorker"],
      /-k is an option of gunicorn.*--interface says which/,
    ],
    [["app:app", "-p", "8001"], /-p is an option of .*--processes N, for a port --port N/],
    [["app:app", "--preload"], /--preload is an option of gunicorn/],
    [
      ["--http-socket", ":80", "--wsgi-file", "app.py"],
      /--http-socket is an option of uWSGI.*--http ADDRESS/,
    ],
    [["--wsgi-file", "app.py"], /the app as the target: sallyport serve MODULE:CALLABLE/],
    [["--module", "app:app"], /the app as the target/],
    [["--ini", "uwsgi.ini"], /--config FILE/],
    [["-c", "gunicorn.conf.py", "app:app"], /-c is an option of gunicorn.*--config FILE/],
    [["--listen=*:8080", "app:app"], /--listen is an option of waitress.*--http ADDRESS/],
    [["-S", "localhost:8000"], /-S is an option of php; here it is sallyport serve DIRECTORY/],
    [["-e", "tcp:port=80", "app:app"], /-e is an option of Daphne/],
    [["app:app", "--quic-bind", ":443"], /there is no HTTP\/3 here/],
    [["-w", "app:app"], /-w is an option of .*uWSGI.*the app as the target/],
    [["app:app", "--http-timeout", "60"], /--http-timeout is an option of uWSGI; here it is --timeout TIME/],
    [["app:app", "--route", "^/a redirect:/b"], /routes of a configuration, with apps of kind answer/],
    [["app:app", "--name", "shop"], /--name is an option of gunicorn.*leave it out/],
    [["app:app", "--factory"], /'module:create_app\(\)'/],
  ] as const)
    assert.throws(() => parseCommandLine(["serve", ...given]), {
      message: said,
      code: "ERR_SALLYPORT_USAGE",
    });
});

test("what is named in their place exists, and no option of ours is called another server's", () => {
  for (const name of Object.keys(FOREIGN_OPTIONS)) {
    assert.ok(!(name.replace(/^--/, "") in OPTIONS), name);
    for (const [, ours = ""] of (foreignOption(name) ?? "")
      .split("here it is")[1]
      ?.matchAll(/--([a-z-]+)/g) ?? [])
      assert.ok(ours in OPTIONS, `${name}: --${ours}`);
  }
});

test("an option of nobody's is answered with the nearest of ours", () => {
  assert.equal(foreignOption("--prot"), undefined);
  assert.throws(() => parseCommandLine(["serve", "app:app", "--prot", "1"]), /did you mean --port/);
});
