import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { SallyportError, Trace } from "../../src/exchange/index.ts";
import { AccessLog } from "../../src/logs/access.ts";
import { ACCESS_FORMATS, accessFormat } from "../../src/logs/format.ts";
import type { LineSink } from "../../src/logs/sinks.ts";
import { type AccessEntry, VARIABLES } from "../../src/logs/variables.ts";
import { RecordedExchange, type RecordedRequest } from "../../src/testing/recorded.ts";

const OUTCOME = { complete: true, error: undefined, status: 200, bytes: 6 };

function entryOf(request: RecordedRequest, more: Partial<AccessEntry> = {}): AccessEntry {
  const exchange = new RecordedExchange(request);
  const trace = new Trace();
  Object.assign(trace, {
    begun: 1000,
    queuedAt: 1001,
    handedOverAt: 1003,
    headAt: 1010,
    endedAt: 1012.5,
    pid: 77,
  });
  exchange.trace = trace;
  return {
    exchange,
    outcome: OUTCOME,
    ms: 12.345,
    app: "shop",
    interfaceOf: () => "WSGI",
    stamp: "02/Jan/2026:03:04:05 +0000",
    responseHeaders: undefined,
    ...more,
  };
}

const lineOf = (format: string, request: RecordedRequest = {}, more: Partial<AccessEntry> = {}): string =>
  accessFormat(format).line(entryOf(request, more));

test("a template has its variables replaced, a dollar is written twice, and what there is not is a dash", () => {
  assert.equal(
    lineOf("$remote_addr \x24{status}ms $$5 [$time_local] $error $remote_user $http_x_none", {}),
    "127.0.0.1 200ms $5 [02/Jan/2026:03:04:05 +0000] - - -\n",
  );
  const headers = [
    "Host",
    "a.example",
    "X-Request-Id",
    "r1",
    "Traceparent",
    `00-${"ab".repeat(16)}-${"cd".repeat(8)}-01`,
  ];
  assert.equal(
    lineOf("$request_method $uri $args $request_uri $server_protocol $http_x_request_id $trace_id", {
      target: "/a?b=c",
      headers,
    }),
    `GET /a b=c /a?b=c HTTP/1.1 r1 ${"ab".repeat(16)}\n`,
  );
});

test("durations have both units, and a phase that an exchange did not have is a dash", () => {
  assert.equal(
    lineOf(
      "$request_time $queue_time $app_time $write_time $request_ms $queue_ms $app_ms $write_ms $worker $interface",
    ),
    "0.012 0.002 0.007 0.003 12.3 2.0 7.0 2.5 77 WSGI\n",
  );
  const none = entryOf({});
  none.exchange.trace = undefined;
  assert.equal(accessFormat("$queue_time $app_ms $worker").line(none), "- - -\n");
});

test("an exchange without a head has 499, and a cut one its code", () => {
  const error = new SallyportError("CLIENT_LEFT", "gone");
  const outcome = { complete: false, error, status: 0, bytes: 0 };
  assert.equal(
    lineOf("$status $body_bytes_sent $error", {}, { outcome }),
    "499 0 ERR_SALLYPORT_CLIENT_LEFT\n",
  );
});

test("every variable of the table can be written, as text and as JSON", () => {
  for (const name of Object.keys(VARIABLES)) {
    assert.match(lineOf(`<$${name}>`), /^<[\x20-\x7e]+>\n$/, name);
    const { bare, quoted } = JSON.parse(lineOf(`{"bare":$${name},"quoted":"$${name}"}`)) as Record<
      string,
      unknown
    >;
    assert.equal(typeof quoted, "string");
    assert.ok(["string", "number"].includes(typeof bare) || bare === null, name);
  }
});

test("every variable has its row in the documentation, and every name of a format", () => {
  const page = readFileSync(new URL("../../docs/logging.md", import.meta.url), "utf8");
  for (const [name, { meaning }] of Object.entries(VARIABLES))
    assert.ok(page.includes(`| \`$${name}\` | ${meaning} |`), name);
  for (const name of ACCESS_FORMATS) assert.match(page, new RegExp(`^\\| \`${name}\``, "m"));
});

test("L5: no value of a client breaks a line, a field or JSON", () => {
  const evil = `a"b\\c\n\r\x1b\x7f\x9b\xe9,"x":1}`;
  const headers = ["Host", "localhost", "User-Agent", evil, "X-B", evil];
  const text = lineOf('"$http_user_agent"', { headers });
  assert.equal(text, '"a\\"b\\\\c\\n\\r\\x1b\\x7f\\x9b\\xe9,\\"x\\":1}"\n');
  const json = lineOf('{"a":$http_user_agent,"b":"<$http_x_b>"}', { headers });
  assert.match(json, /^[^\x00-\x1f\x7f-\x9f]+\n$/);
  assert.deepEqual(JSON.parse(json), { a: evil, b: `<${evil}>` });
  assert.equal(JSON.parse(lineOf("json", { headers, target: '/"' })).userAgent, evil);
});

test("json has a value or null for each part of an exchange", () => {
  const line = JSON.parse(lineOf("json", { target: "/a?b" })) as Record<string, unknown>;
  const { time, pid, ...rest } = line;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.equal(pid, process.pid);
  assert.deepEqual(rest, {
    remote: "127.0.0.1",
    user: null,
    method: "GET",
    target: "/a?b",
    protocol: "HTTP/1.1",
    scheme: "http",
    host: "localhost",
    status: 200,
    bytes: 6,
    requestBytes: 0,
    referer: null,
    userAgent: null,
    totalMs: 12.3,
    queueMs: 2,
    appMs: 7,
    writeMs: 2.5,
    app: "shop",
    interface: "WSGI",
    worker: 77,
    error: null,
    tls: null,
    traceId: null,
  });
});

test("a wrong format says what is wrong, and what may be meant", () => {
  const faultOf = (format: string): string => {
    try {
      accessFormat(format);
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  };
  assert.match(
    faultOf("combind"),
    /must be extended, combined, common, json or a template.*did you mean combined\?$/,
  );
  assert.match(faultOf("$remote_adr"), /unknown variable \$remote_adr; did you mean \$remote_addr\?$/);
  assert.match(faultOf("$constructor"), /unknown variable/);
  assert.match(faultOf("a $ b"), /a \$ without a name at character 3; write \$\$/);
  assert.match(faultOf("\x24{}"), /without a name/);
  assert.match(faultOf("$status\n$uri"), /one line/);
  assert.match(faultOf('{"a":$status,}'), /would not be JSON/);
});

test("a trace is kept only for a format that has phases, and response headers only for one that has them", async () => {
  const lines: string[] = [];
  const sink: LineSink = {
    write: (text) => lines.push(text) > 0,
    reopen: () => {},
    close: async () => {},
    leave: () => {},
  };
  const seen = async (format: string): Promise<{ traced: boolean; wrapped: boolean }> => {
    const log = new AccessLog(sink, format);
    const exchange = new RecordedExchange({});
    let wrapped = false;
    log.logging((given) => {
      wrapped = given !== exchange;
      given.respond({ status: 200, reason: "", headers: ["X-Cache", "hit"] }, "ok");
      return "shop";
    })(exchange);
    await log.close();
    return { traced: exchange.trace !== undefined, wrapped };
  };
  for (const format of ["extended", "combined", "common", "$request_time"])
    assert.deepEqual(await seen(format), { traced: false, wrapped: false }, format);
  assert.deepEqual(await seen("json"), { traced: true, wrapped: false });
  lines.length = 0;
  assert.deepEqual(await seen("$status $sent_http_x_cache $sent_http_x_none"), {
    traced: false,
    wrapped: true,
  });
  assert.deepEqual(lines, ["200 hit -\n"]);
});
