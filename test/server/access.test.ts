import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "../../src/exchange/index.ts";
import { accessLine, logAccess } from "../../src/server/access.ts";
import { RecordedExchange, type RecordedRequest } from "../../src/testing/recorded.ts";

const NOW = new Date("2026-01-02T03:04:05Z");
const OUTCOME = { complete: true, error: undefined, status: 200, bytes: 6 };

const lineOf = (request: RecordedRequest, outcome: Partial<typeof OUTCOME> | object = {}): string =>
  accessLine(new RecordedExchange(request), { ...OUTCOME, ...outcome }, 12.345, "shop", NOW);

test("a line has the combined format, then the time, the app and no error", () => {
  const headers = ["Host", "localhost", "Referer", "http://a/", "User-Agent", "curl/8.5.0"];
  assert.equal(
    lineOf({ target: "/a?b=c", headers }),
    '127.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET /a?b=c HTTP/1.1" 200 6 "http://a/" "curl/8.5.0" 12.3ms shop -\n',
  );
});

test("a cut response ends with the code of its error, and a client that left before the head has 499", () => {
  const error = new SallyportError("CLIENT_LEFT", "gone");
  const line = lineOf({}, { complete: false, error, status: 0, bytes: 0 });
  assert.match(line, /" 499 - "-" "-" 12\.3ms shop ERR_SALLYPORT_CLIENT_LEFT\n$/);
});

test("L5: CR, LF, ESC, quotes and backslashes of target and headers cannot forge a line or a field", () => {
  const headers = ["Host", "localhost", "User-Agent", 'x" 200 "\x1b[2J\\\r\nfake'];
  const line = lineOf({ target: '/"\n\x1b', headers });
  assert.equal(line.indexOf("\n"), line.length - 1);
  assert.ok(line.includes('"GET /\\"\\n\\x1b HTTP/1.1"'), line);
  assert.ok(line.includes('"x\\" 200 \\"\\x1b[2J\\\\\\r\\nfake"'), line);
});

test("L5: the name of a client's Unix socket stays one field of the line", () => {
  const exchange = new RecordedExchange({});
  const remote = { address: '/tmp/a b\n"\x1b', port: 0 };
  exchange.request = { ...exchange.request, remote };
  const line = accessLine(exchange, OUTCOME, 12.345, "shop", NOW);
  assert.ok(line.startsWith('/tmp/a\\x20b\\n\\"\\x1b - - ['), line);
});

test("the line is written when the exchange is over, not before", () => {
  const lines: string[] = [];
  const exchange = new RecordedExchange({ target: "/late" });
  logAccess(exchange, { write: (line) => lines.push(line) > 0 }, "shop", performance.now());
  assert.deepEqual(lines, []);
  exchange.respond({ status: 204, reason: "", headers: [] }, "");
  assert.equal(lines.length, 1);
  assert.match(String(lines[0]), /"GET \/late HTTP\/1\.1" 204 - "-" "-" \d+\.\dms shop -\n$/);
});
