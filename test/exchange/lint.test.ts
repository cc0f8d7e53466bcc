import assert from "node:assert/strict";
import { test } from "node:test";
import type { Exchange, RequestBody } from "../../src/exchange/index.ts";
import { type LintError, LintedExchange, lint } from "../../src/exchange/lint.ts";
import { RecordedExchange, type RecordedRequest } from "../../src/testing/recorded.ts";

const OK = { status: 200, reason: "OK", headers: ["Content-Type", "text/plain"] };
const bytes = Buffer.from("hello");

/** The violation that `use` commits, as "side: rule"; "" when it commits none. */
function violationOf(
  use: (exchange: LintedExchange, inner: RecordedExchange) => void,
  request: RecordedRequest = {},
): string {
  let seen: LintError | undefined;
  const report = (violation: LintError): void => {
    seen ??= violation;
  };
  try {
    const inner = new RecordedExchange(request);
    use(new LintedExchange(inner, report), inner);
  } catch (error) {
    assert.equal(error, seen, "what is thrown is what is reported");
  }
  return seen?.message ?? "";
}

test("lint lets a right exchange pass, in one call and in pieces", () => {
  assert.equal(
    violationOf((exchange) => exchange.respond(OK, bytes)),
    "",
  );
  const pieces = (exchange: Exchange): void => {
    exchange.inform({ status: 103, reason: "", headers: ["Link", "</a.css>"] });
    exchange.start(OK);
    exchange.write(bytes);
    exchange.end(["X-Sum", "1"]);
  };
  assert.equal(violationOf(pieces), "");
});

const answers: [rule: RegExp, use: (exchange: LintedExchange, inner: RecordedExchange) => void][] = [
  [/write\(\) while the exchange was waiting/, (exchange) => exchange.write(bytes)],
  [/end\(\) while the exchange was waiting/, (exchange) => exchange.end()],
  [/start\(\) while the exchange was started/, (exchange) => [exchange.start(OK), exchange.start(OK)]],
  [/final status 99/, (exchange) => exchange.respond({ ...OK, status: 99 }, bytes)],
  [/inform\(200\)/, (exchange) => exchange.inform(OK)],
  [/header value "a\\r\\nb"/, (exchange) => exchange.start({ ...OK, headers: ["X", "a\r\nb"] })],
  [/header name "X Y"/, (exchange) => exchange.start({ ...OK, headers: ["X Y", "a"] })],
  [/odd length/, (exchange) => exchange.start({ ...OK, headers: ["X"] })],
  [/reason/, (exchange) => exchange.start({ ...OK, reason: "O\nK" })],
  [/neither bytes nor text/, (exchange) => exchange.respond(OK, 5 as never)],
  [/not bytes/, (exchange) => [exchange.start(OK), exchange.write("text" as never)]],
  [
    /without waiting for whenDrained/,
    (exchange, inner) => {
      inner.stalled = true;
      exchange.start(OK);
      exchange.write(bytes);
      exchange.write(bytes);
    },
  ],
];
for (const [rule, use] of answers) {
  test(`lint blames the answering side: ${rule.source}`, () => {
    const violation = violationOf(use);
    assert.match(violation, /^answer: /);
    assert.match(violation, rule);
  });
}

const requests: [rule: RegExp, request: RecordedRequest][] = [
  [/method/, { method: "GE T" }],
  [/path "x"/, { target: "x" }],
  [/version/, { version: "0.9" }],
  [/header name/, { headers: ["a b", ""] }],
  [/no prefix/, { mount: "/other" }],
  [/whose length is another/, { body: { length: 3, whole: bytes } as unknown as RequestBody }],
];
for (const [rule, request] of requests) {
  test(`lint blames the listener: ${rule.source}`, () => {
    const violation = violationOf(() => {}, request);
    assert.match(violation, /^listener: /);
    assert.match(violation, rule);
  });
}

test("lint blames a gateway that throws", () => {
  let seen: LintError | undefined;
  const gateway = lint(
    {
      handle() {
        throw new Error("oops");
      },
    },
    (violation) => {
      seen = violation;
    },
  );
  assert.throws(() => gateway.handle(new RecordedExchange()), /handle\(\) threw/);
  assert.equal(seen?.side, "answer");
});

test("lint blames two reads at a time and an empty piece", async () => {
  const seen: string[] = [];
  const report = (violation: LintError): void => {
    seen.push(violation.message);
  };
  const pending: Partial<RequestBody> = { length: 5, read: () => new Promise(() => {}) };
  const twice = new LintedExchange(new RecordedExchange({ body: pending as RequestBody }), report);
  void twice.body.read();
  await assert.rejects(twice.body.read());
  const empty: Partial<RequestBody> = { length: undefined, read: async () => new Uint8Array(0) };
  await assert.rejects(
    new LintedExchange(new RecordedExchange({ body: empty as RequestBody }), report).body.read(),
  );
  assert.deepEqual(seen, [
    "answer: body.read() while another is under way",
    "listener: body.read() gave an empty piece",
  ]);
});
