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
    [["app:app", "--factory"], /'module:create_app\(\)'/],
  ] as const)
    assert.throws(() => parseCommandLine(["serve", ...given]), {
      message: said,
      code: "ERR_SALLYPORT_USAGE",
    });
});

test("what is named in their place exists, and no option of ours is called another server's", () => {
  for (const name of FOREIGN_OPTIONS) {
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
