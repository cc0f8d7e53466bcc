import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { LOADER } from "../../scripts/testing/typescript/loader.mjs";
import { Repeated, SallyportError } from "../../src/exchange/index.ts";
import { AccessLog, stampOf } from "../../src/logs/access.ts";
import { combinedLine, commonLine, extendedLine } from "../../src/logs/combined.ts";
import type { LineSink } from "../../src/logs/sinks.ts";
import type { AccessEntry } from "../../src/logs/variables.ts";
import { RecordedExchange, type RecordedRequest } from "../../src/testing/recorded.ts";

const NOW = stampOf(new Date("2026-01-02T03:04:05Z"));
const OUTCOME = { complete: true, error: undefined, status: 200, bytes: 6 };

const entryOf = (exchange: RecordedExchange, more: Partial<AccessEntry> = {}): AccessEntry => ({
  exchange,
  outcome: OUTCOME,
  ms: 12.345,
  app: "shop",
  interfaceOf: () => "WSGI",
  stamp: NOW,
  responseHeaders: undefined,
  ...more,
});

const lineOf = (request: RecordedRequest, outcome: Partial<typeof OUTCOME> | object = {}): string =>
  extendedLine(entryOf(new RecordedExchange(request), { outcome: { ...OUTCOME, ...outcome } }));

test("a line has the combined format, then the time, the app and no error", () => {
  const headers = ["Host", "localhost", "Referer", "http://a/", "User-Agent", "curl/8.5.0"];
  assert.equal(
    lineOf({ target: "/a?b=c", headers }),
    '127.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET /a?b=c HTTP/1.1" 200 6 "http://a/" "curl/8.5.0" 12.3ms shop -\n',
  );
});

test("common and combined are as Apache writes them, byte for byte", () => {
  const headers = ["Host", "localhost", "Referer", "http://a/", "User-Agent", 'a"\xe9'];
  const exchange = new RecordedExchange({ target: "/a", headers });
  exchange.request = { ...exchange.request, version: "2", user: { name: "al ice", scheme: "Basic" } };
  const common = '127.0.0.1 - al\\x20ice [02/Jan/2026:03:04:05 +0000] "GET /a HTTP/2.0" 200 6';
  assert.equal(commonLine(entryOf(exchange)), `${common}\n`);
  assert.equal(combinedLine(entryOf(exchange)), `${common} "http://a/" "a\\"\\xe9"\n`);
  const empty = entryOf(new RecordedExchange({}), { outcome: { ...OUTCOME, status: 304, bytes: 0 } });
  assert.match(commonLine(empty), / 304 -\n$/);
});

test("the time taken has a tenth of a millisecond", () => {
  const timeOf = (ms: number) =>
    / (\S+)ms /.exec(extendedLine(entryOf(new RecordedExchange({}), { ms })))?.[1];
  for (const ms of [0, 0.04, 0.06, 0.96, 1, 9.94, 9.96, 12.345, 86_400_000.27])
    assert.equal(timeOf(ms), ms.toFixed(1));
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
  const line = extendedLine(entryOf(exchange));
  assert.ok(line.startsWith('/tmp/a\\x20b\\n\\"\\x1b - - ['), line);
});

/** Takes lines as a file would. */
class Lines implements LineSink {
  readonly writes: string[] = [];

  write(lines: string): boolean {
    return this.writes.push(lines) > 0;
  }

  reopen(): void {
    this.writes.push("reopened");
  }

  async close(): Promise<void> {
    this.writes.push("closed");
  }

  leave(): void {}
}

const answer = (exchange: RecordedExchange): void =>
  exchange.respond({ status: 204, reason: "", headers: [] }, "");

test("the line is written when the exchange is over, not before", async () => {
  const sink = new Lines();
  const access = new AccessLog(sink);
  const exchange = new RecordedExchange({ target: "/late" });
  access.logging(() => "shop")(exchange);
  access.reopen();
  answer(exchange);
  await access.close();
  assert.equal(sink.writes.length, 3);
  assert.match(String(sink.writes[1]), /"GET \/late HTTP\/1\.1" 204 - "-" "-" \d+\.\dms shop -\n$/);
});

test("lines leave together, without another request, and at most 16 KiB at once", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const sink = new Lines();
  const access = new AccessLog(sink);
  const handler = access.logging(() => "shop");
  const ask = (target: string) => {
    const exchange = new RecordedExchange({ target });
    handler(exchange);
    answer(exchange);
  };
  for (const target of ["/1", "/2", "/3"]) ask(target);
  assert.equal(sink.writes.length, 0);
  t.mock.timers.tick(50);
  assert.equal(sink.writes.length, 1);
  assert.deepEqual(String(sink.writes[0]).match(/GET \/\d/g), ["GET /1", "GET /2", "GET /3"]);
  for (let i = 0; i < 1000; i++) ask(`/${i}`);
  assert.ok(sink.writes.length > 4 && sink.writes.every(({ length }) => length <= 16 * 1024));
  await access.close();
  assert.equal(sink.writes.join("").match(/GET/g)?.length, 1003);
});

test("lines are in the file that was there when their requests ended, before it is opened anew", async () => {
  const sink = new Lines();
  const access = new AccessLog(sink);
  const handler = access.logging(() => "shop");
  for (const target of ["/old", "/new"]) {
    const exchange = new RecordedExchange({ target });
    handler(exchange);
    answer(exchange);
    if (target === "/old") access.reopen();
  }
  await access.close();
  assert.deepEqual(
    sink.writes.map((lines) => /GET \/\w+/.exec(lines)?.[0] ?? lines),
    ["GET /old", "reopened", "GET /new", "closed"],
  );
});

test("requests with the same fields share what is escaped, unless a proxy says that their clients differ", () => {
  const exchange = new RecordedExchange({ headers: ["Host", "localhost", "User-Agent", 'a"b'] });
  const repeated = new Repeated(exchange.request);
  exchange.request = { ...exchange.request, repeated };
  const lineNow = () => extendedLine(entryOf(exchange));
  const first = lineNow();
  const { access } = repeated;
  assert.ok(access);
  exchange.request = { ...exchange.request, method: "POST", target: "/other" };
  assert.equal(lineNow(), first.replace("GET / ", "POST /other "));
  assert.equal(repeated.access, access);
  exchange.request = { ...exchange.request, remote: { address: "192.0.2.7", port: 0 } };
  assert.ok(lineNow().startsWith("192.0.2.7 - - ["));
});

const PROGRAM = fileURLToPath(new URL("programs/exit_with_lines.ts", import.meta.url));
const EXITS = [...LOADER, PROGRAM];

test("lines that wait when an app calls process.exit are written, to a file and to a pipe", () => {
  const directory = mkdtempSync(join(tmpdir(), "access-"));
  const file = join(directory, "access.log");
  const run = (place: string) => execFileSync(process.execPath, [...EXITS, place, "3"], { encoding: "utf8" });
  const piped = run("-");
  run(file);
  for (const lines of [piped, readFileSync(file, "utf8")])
    assert.deepEqual(lines.match(/GET \/\d+/g), ["GET /0", "GET /1", "GET /2"]);
  rmSync(directory, { recursive: true });
});

test("a reader that is stuck does not keep a process that wants to exit", () => {
  const directory = mkdtempSync(join(tmpdir(), "access-"));
  const fifo = join(directory, "fifo");
  execFileSync("mkfifo", [fifo]);
  // Open for reading, too, so that it is only full, not broken.
  const full = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  fill(full);
  const stuck = openSync(fifo, constants.O_WRONLY);
  const { status, signal } = spawnSync(process.execPath, [...EXITS, "-", "3"], {
    stdio: ["ignore", stuck, "inherit"],
    timeout: 30_000,
  });
  closeSync(stuck);
  closeSync(full);
  rmSync(directory, { recursive: true });
  assert.deepEqual({ status, signal }, { status: 0, signal: null });
});

function fill(fd: number): void {
  const page = Buffer.alloc(4096);
  try {
    for (;;) writeSync(fd, page);
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
  }
}
