import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCommandLine } from "../../src/cli/command-line.ts";
import { helpText } from "../../src/cli/help.ts";
import { OPTIONS } from "../../src/cli/options.ts";
import { A_TIME } from "../../src/config/units.ts";
import type { SallyportError } from "../../src/exchange/index.ts";

test("options and words may come in any order, with = or a space", () => {
  const { flags, words } = parseCommandLine([
    "serve",
    "--port=0",
    "app:app",
    "--env",
    "A=1",
    "--env",
    "B=x=y",
    "--access-log",
    "-",
  ]);
  assert.deepEqual(words, ["serve", "app:app"]);
  assert.deepEqual({ ...flags }, { port: 0, env: ["A=1", "B=x=y"], "access-log": "-" });
});

test("sizes are read as bytes and times as milliseconds", () => {
  const { flags } = parseCommandLine(["--max-body", "10M", "--timeout", "1.5", "--grace", "500ms"]);
  assert.deepEqual({ ...flags }, { "max-body": 10 * 2 ** 20, timeout: 1500, grace: 500 });
});

test("a number that is a limit may be 0, for none, as in the configuration", () => {
  assert.deepEqual({ ...parseCommandLine(["--max-requests", "0"]).flags }, { "max-requests": 0 });
});

test("a mask is read as umask(1) reads it: 0 takes nothing away, and zeros in front may be left out", () => {
  const maskOf = (text: string) => parseCommandLine(["--umask", text]).flags.umask;
  assert.deepEqual(["0", "000", "22", "027", "0077"].map(maskOf), [0, 0, 0o22, 0o27, 0o77]);
  assert.throws(() => maskOf("8"), /--umask must be an octal mask such as 027, not "8"/);
});

test("what follows -- is never an option", () => {
  assert.deepEqual(parseCommandLine(["serve", "--", "--port"]).words, ["serve", "--port"]);
});

const BAD: [string[], string][] = [
  [["--prot", "1"], "unknown option --prot; did you mean --port?"],
  [["-z", "1"], "unknown option -z"],
  [["--no-help"], "unknown option --no-help"],
  [["--port"], "--port needs a value: --port PORT"],
  [["--port", "70000"], '--port must be a number from 0 to 65535, not "70000"'],
  [["--port", "1", "--port", "2"], "--port is given twice"],
  [["--help=yes"], "--help takes no value"],
  [["--env", "NAME"], '--env must be of the form NAME=VALUE, not "NAME"'],
  [["--max-body", "much"], '--max-body must be a size such as 65536, 64K or 10M, not "much"'],
  [["--timeout", "soon"], `--timeout must be ${A_TIME}, not "soon"`],
  [["--timeout", "30d"], `--timeout must be ${A_TIME}, not "30d"`],
  [["--processes", "0"], '--processes must be a whole number from 1, or MIN:MAX such as 1:4, not "0"'],
  [["--threads", "2000000"], '--threads must be a whole number from 1 to 1000000, not "2000000"'],
  [["--fd", "70000"], '--fd must be the number of a descriptor, from 0 to 65535, not "70000"'],
  [["--cgi", "cgi-bin"], '--cgi must be a path that starts with /, not "cgi-bin"'],
  [["--mount", "app"], '--mount must be a path that starts with / (the app is the target), not "app"'],
  [
    ["--mount", "/a=a.py"],
    '--mount must be a path that starts with / (the app is the target), not "/a=a.py"',
  ],
  [["--log-level", "loud"], '--log-level must be one of debug, info, warn, error, not "loud"'],
  [["--scgi", "localhost"], '--scgi must be HOST:PORT, unix:PATH or fd:N, not "localhost"'],
  [["--fastcgi", "scgi://9000"], '--fastcgi must be HOST:PORT, unix:PATH or fd:N, not "scgi://9000"'],
  [
    ["--trust", "localhost"],
    '--trust must be an address, a range such as 10.0.0.0/8, unix: or *, not "localhost"',
  ],
  [
    ["--fronts", "2", "--server-processes", "2"],
    "--fronts is called --server-processes now: give one of them, not both",
  ],
  [["--fronts", "none"], '--fronts must be a whole number from 1 to 1000000, not "none"'],
  [["--constructor"], "unknown option --constructor"],
  [["--unix="], '--unix must be a text that is not empty, not ""'],
];

for (const [args, message] of BAD) {
  test(`${args.join(" ")} is refused: ${message}`, () =>
    assert.throws(
      () => parseCommandLine(args),
      (error: SallyportError) => error.code === "ERR_SALLYPORT_USAGE" && error.message === message,
    ));
}

test("an option may have its old name, and the log is to say what it is called now", () => {
  const { flags, words, renamed } = parseCommandLine(["serve", "--fronts", "2", "app:app"]);
  assert.deepEqual({ ...flags }, { "server-processes": 2 });
  assert.deepEqual(words, ["serve", "app:app"]);
  assert.deepEqual(renamed, ["--fronts is called --server-processes now"]);
  assert.deepEqual(parseCommandLine(["--server-processes", "2"]).renamed, []);
});

test("the help has no old name", () => {
  assert.doesNotMatch(helpText(), /--(?:front|max-headers|tls-client-certs)/);
});

test("the help names every option and no line of it is wider than 120 characters", () => {
  const help = helpText();
  for (const name of Object.keys(OPTIONS)) assert.ok(help.includes(`--${name}`), name);
  for (const line of help.split("\n")) assert.ok(line.length <= 120, line);
});
