// OpenTelemetry with a real SDK in this process, whose spans stay in memory, and real servers in front of each kind of app.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import type { Config } from "../../src/config/config.ts";
import { type Exchange, silentLog } from "../../src/exchange/index.ts";
import { createServer } from "../../src/server/create.ts";
import { telemetryOf } from "../../src/server/telemetry.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { until } from "../kit/until.ts";

const exporter = new InMemorySpanExporter();

function register(t: TestContext): void {
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
  );
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  exporter.reset();
  t.after(() => {
    trace.disable();
    context.disable();
    propagation.disable();
  });
}

const CLIENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async function serve(
  t: TestContext,
  app: Config["apps"][string],
  directory = makeFolder(t),
): Promise<string> {
  const config: Config = { listen: ["127.0.0.1:0"], apps: { site: app }, log: { access: "off" } };
  const server = createServer(config, { directory, log: silentLog });
  t.after(() => server.stop(0));
  const [url = ""] = await server.start();
  return url;
}

async function spansOf(count: number): Promise<ReadableSpan[]> {
  await until(() => exporter.getFinishedSpans().length >= count);
  return exporter.getFinishedSpans();
}

test("without an SDK there is none of it, and requests have no trace", async (t) => {
  assert.equal(await telemetryOf(silentLog), undefined);
  let seen: unknown = "nothing";
  const gateway = {
    handle: (exchange: Exchange) => {
      seen = exchange.trace;
      exchange.respond({ status: 200, reason: "", headers: [] }, "");
    },
  };
  await fetch(await serve(t, gateway), { headers: { traceparent: CLIENT } });
  assert.equal(seen, undefined);
});

const WSGI = `def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ.get("HTTP_TRACEPARENT", "").encode()]
`;
const ASGI = `async def application(scope, receive, send):
    headers = dict(scope["headers"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": headers.get(b"traceparent", b"")})
`;
const CGI = `#!/bin/sh
printf 'Content-Type: text/plain\\n\\n%s' "$HTTP_TRACEPARENT"
`;
const MODULE = `export default { fetch: (request) => new Response(request.headers.get("traceparent")) };`;

const APPS = {
  wsgi: ["site_wsgi.py", WSGI, { wsgi: "site_wsgi" }],
  asgi: ["site_asgi.py", ASGI, { asgi: "site_asgi", lifespan: "off" }],
  cgi: ["site.cgi", CGI, { cgi: "site.cgi" }],
  module: ["site.mjs", MODULE, { module: "site.mjs" }],
} as const;

for (const [kind, [file, source, app]] of Object.entries(APPS))
  test(`${kind}: the application is a child of our span, and that of the client's`, async (t) => {
    register(t);
    const folder = makeFolder(t);
    writeFileSync(join(folder, file), source, { mode: 0o755 });
    const url = await serve(t, app, folder);
    const response = await fetch(`${url}/pay?n=1`, { headers: { traceparent: CLIENT, tracestate: "a=1" } });
    const told = await response.text();
    const spans = await spansOf(2);
    const [server, ...others] = spans.filter(({ kind }) => kind === SpanKind.SERVER);
    assert.ok(server);
    assert.deepEqual(others, []);
    const { traceId, spanId } = server.spanContext();
    assert.equal(told, `00-${traceId}-${spanId}-01`);
    assert.equal(traceId, CLIENT.slice(3, 35));
    assert.equal(server.parentSpanContext?.spanId, CLIENT.slice(36, 52));
    assert.equal(server.name, "GET");
    assert.equal(server.attributes["url.path"], "/pay");
    assert.equal(server.attributes["url.query"], "n=1");
    assert.equal(server.attributes["http.response.status_code"], 200);
    assert.equal(server.attributes["sallyport.app"], "site");
    assert.equal(server.status.code, SpanStatusCode.UNSET);
    const part = spans.find(({ name }) => name === "application");
    assert.equal(part?.parentSpanContext?.spanId, spanId);
    assert.ok(nanoseconds(part?.startTime) >= nanoseconds(server.startTime));
    assert.ok(nanoseconds(part?.endTime) <= nanoseconds(server.endTime));
  });

const nanoseconds = ([seconds, rest]: readonly [number, number] = [0, 0]): bigint =>
  BigInt(seconds) * 1_000_000_000n + BigInt(rest);

test("spans of an application in this process are children; a failure is an error; waiting is a span", async (t) => {
  register(t);
  const tracer = trace.getTracer("application");
  const gateway = {
    handle: (exchange: Exchange) => {
      exchange.trace?.queued();
      exchange.trace?.handedOver(7);
      tracer.startSpan("query").end();
      exchange.respond({ status: 503, reason: "", headers: [] }, "");
    },
  };
  await fetch(await serve(t, gateway));
  const spans = await spansOf(4);
  const server = spans.find(({ kind }) => kind === SpanKind.SERVER);
  assert.ok(server);
  assert.equal(server.parentSpanContext, undefined);
  assert.deepEqual(
    spans
      .filter((span) => span.parentSpanContext?.spanId === server.spanContext().spanId)
      .map(({ name }) => name),
    ["query", "queue", "application"],
  );
  assert.equal(server.status.code, SpanStatusCode.ERROR);
  assert.equal(server.attributes["error.type"], "503");
  assert.equal(server.attributes["sallyport.worker.pid"], 7);
});
