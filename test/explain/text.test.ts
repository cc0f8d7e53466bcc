// An explanation as people read it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RunAnswer } from "../../src/explain/explain.ts";
import { FACTS, INTERFACES, nameOfFact } from "../../src/explain/facts.ts";
import { explanationText } from "../../src/explain/text.ts";
import { ask } from "./ask.ts";

const plain = { colours: false, bytes: false };

test("each value stands in a line with its name and where it comes from, in columns", async () => {
  const lines = explanationText(await ask(), plain).split("\n");
  assert.equal(lines[0], "POST http://example.org/shop/p%20q/k%C3%A4se?x=1&y=%20");
  const line = (name: string): string => lines.find((one) => one.startsWith(`  ${name} `)) ?? "";
  assert.match(line("SCRIPT_NAME"), /^ {2}SCRIPT_NAME +\/shop +the route's path: what led to the app$/);
  assert.match(line("wsgi.input"), /^ {2}wsgi\.input +3 bytes: "a=1" +the body of the request$/);
  assert.equal(line("SCRIPT_NAME").indexOf("the route's"), line("QUERY_STRING").indexOf("request line"));
  assert.ok(lines.some((one) => /^ {2}→ \/shop +app shop +the first that fits$/.test(one)));
});

test("two interfaces are shown side by side, fact by fact", async () => {
  const text = explanationText(await ask({}, { diff: "asgi" }), plain);
  assert.match(text, /^WSGI beside ASGI$/m);
  assert.match(text, /^ {2}mount +SCRIPT_NAME = \/shop +root_path = '\/shop'$/m);
  assert.match(text, /^ {2}body +wsgi\.input = 3 bytes: "a=1" +receive\(\) = 3 bytes: "a=1"$/m);
  assert.match(text, /^ {2}only +GATEWAY_INTERFACE = CGI\/1\.1 +-$/m);
  assert.match(text, /^ {2}only +- +type = 'http'$/m);
});

describe("bytes", () => {
  test("stand beside what they mean, with their places", async () => {
    const text = explanationText(await ask({}, { as: "fastcgi" }), { colours: false, bytes: true });
    assert.match(text, /^ {2}0000 {2}01 +version 1$/m);
    assert.match(text, /^ {2}0001 {2}01 +type 1 \(BEGIN_REQUEST\)$/m);
    assert.match(text, /^ +REQUEST_METHOD: POST$/m);
  });

  test("are left out unless they are asked for", async () => {
    assert.doesNotMatch(explanationText(await ask({}, { as: "fastcgi" }), plain), /BEGIN_REQUEST/);
  });
});

test("a refusal says the status, the reason, the code, and whose fault it is", async () => {
  const text = explanationText(await ask({ target: "/shop/%00" }), plain);
  assert.match(text, /^ {2}400 .+ \[ERR_SALLYPORT_BAD_PATH\], the fault of the client$/m);
});

test("the answer is shown with the time of each phase", async () => {
  const text = explanationText(await ask({}, { run: true }), plain);
  assert.match(text, /^ {2}application +[\d.]+ ms$/m);
  assert.match(text, /^ {2}in all +[\d.]+ ms$/m);
  assert.match(text, /^ {2}process +\d+$/m);
  assert.match(text, /^ {2}HTTP\/1\.1 200 OK$/m);
});

test("an informational response is shown before the answer, and what was not read of one without end is said", async () => {
  const found = await ask({}, { run: true });
  const bytes = Buffer.from(
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nX-A: b\r\n\r\nok",
  );
  const answer = {
    ...(found.answer as RunAnswer),
    response: { name: "", bytes, fields: [] },
    cut: "it is long",
  };
  assert.match(
    explanationText({ ...found, answer }, plain),
    /\n {2}HTTP\/1\.1 103 Early Hints\n {2}Link: <\/a>\n\n {2}HTTP\/1\.1 200 OK\n {2}X-A: b\n {2}\(2 bytes of body; no more was read, for it is long\)\n$/,
  );
});

test("colours only where they are wanted", async () => {
  const found = await ask();
  assert.ok(!explanationText(found, plain).includes("\x1b"));
  assert.ok(explanationText(found, { ...plain, colours: true }).includes("\x1b[1m"));
});

test("nothing that a client sends can move the cursor of a terminal", async () => {
  const text = explanationText(await ask({ fields: ["X-Evil: \x9b31m", "X-Tab: a\tb"] }), {
    colours: false,
    bytes: true,
  });
  assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
});

test("the value of every fact is among those that its interface is handed", async () => {
  for (const named of INTERFACES) {
    const { handovers } = await ask({ fields: ["Content-Type: text/plain"] }, { as: named });
    const names = new Set(handovers[0]?.values.map(({ name }) => name));
    for (const fact of FACTS) {
      const name = nameOfFact(fact, named);
      if (name !== "" && name !== "socket.encrypted")
        assert.ok(names.has(name) || /headers: content/.test(name), `${named}: ${name}`);
    }
  }
});
