import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { errorPage, errorPlain } from "../../src/dev/page.ts";
import { framesOf, titleOf } from "../../src/dev/traceback.ts";
import { SallyportError } from "../../src/exchange/index.ts";

describe("a failure, for a reader", () => {
  let directory: string;
  let file: string;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-dev-"));
    file = join(directory, "app.py");
    writeFileSync(file, Array.from({ length: 20 }, (_, i) => `line_${i + 1} = "<b>"\n`).join(""));
  });
  after(() => rmSync(directory, { recursive: true }));

  const python = (): string =>
    [
      "Traceback (most recent call last):",
      '  File "/usr/lib/python3.13/site-packages/flask/app.py", line 7, in wsgi_app',
      "    response = self.full_dispatch_request()",
      `  File "${file}", line 9, in boom`,
      "    1 / 0",
      "    ~~^~~",
      "ZeroDivisionError: division by zero",
      "",
    ].join("\n");

  test("a traceback of Python has its frames in the order of the calls, and those of the application are known", () => {
    const frames = framesOf(python(), directory);
    assert.deepEqual(
      frames.map(({ line, name, own }) => [line, name, own]),
      [
        [7, "wsgi_app", false],
        [9, "boom", true],
      ],
    );
    assert.deepEqual(
      frames[1]?.source.map(({ number }) => number),
      [5, 6, 7, 8, 9, 10, 11, 12, 13],
    );
    assert.equal(titleOf(python()), "ZeroDivisionError: division by zero");
  });

  test("a syntax error of Python is a place without a function", () => {
    const text = `  File "${file}", line 2\n    x = (\n        ^\nSyntaxError: '(' was never closed\n`;
    assert.deepEqual(
      framesOf(text, directory).map(({ line, name, own }) => [line, name, own]),
      [[2, "", true]],
    );
    assert.equal(titleOf(text), "SyntaxError: '(' was never closed");
  });

  test("a stack of JavaScript is turned round, and installed packages are not the application's own", () => {
    const text = [
      "TypeError: no",
      `    at boom (file://${file}:3:9)`,
      `    at Object.fetch (${directory}/node_modules/hono/hono.js:5:1)`,
    ].join("\n");
    assert.deepEqual(
      framesOf(text, directory).map(({ line, name, own }) => [line, name, own]),
      [
        [5, "Object.fetch", false],
        [3, "boom", true],
      ],
    );
    assert.equal(titleOf(text), "TypeError: no");
  });

  test("an endless recursion shows its last frames only", () => {
    const text = `Traceback (most recent call last):\n${`  File "${file}", line 1, in f\n`.repeat(2_000)}RecursionError: x`;
    assert.equal(framesOf(text, directory).length, 60);
  });

  const failure = (detail: string) => ({
    error: new SallyportError("APP_RAISED", "<script>alert(1)</script>", { detail }),
    what: "GET /<b>",
    directory,
    script: "/x.js",
  });

  test("the page escapes all that comes from the application, and shows its own frames first", () => {
    const page = errorPage(failure(python().replace("division", "<i>division")));
    assert.doesNotMatch(page, /<script>alert|<i>division|<b>"|GET \/<b>/);
    assert.match(page, /&lt;i&gt;division by zero/);
    assert.match(page, /<span class="here"><b>9<\/b>line_9 = &quot;&lt;b&gt;&quot;<\/span>/);
    assert.ok(page.indexOf("app.py:9  in boom") < page.indexOf("flask/app.py:7"));
  });

  test("without a traceback the page says what the error says", () => {
    assert.match(errorPage(failure("")), /<h1>&lt;script&gt;alert/);
    assert.match(errorPlain(failure("")), /^GET \/<b>: <script>.*\[ERR_SALLYPORT_APP_RAISED\]\n/);
  });
});
