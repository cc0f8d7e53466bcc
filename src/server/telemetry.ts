// OpenTelemetry: a span for each request, with children for the queue and the application, as parent of what the application
// does. Only where an SDK has registered itself in this process; nothing is loaded, and no request costs anything, otherwise.
import type { Attributes, Context, Span, TextMapGetter, Tracer } from "@opentelemetry/api";
import {
  type Exchange,
  type Headers,
  header,
  headerValues,
  type Log,
  type Outcome,
  Trace,
} from "../exchange/index.ts";

type Api = typeof import("@opentelemetry/api");

/** Gives an exchange to its app, and returns the app's name. */
type Admit = (exchange: Exchange) => string | undefined;

/** Where every copy of the API package finds what is registered: part of its contract with SDKs, for all versions 1.x. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");
const NAME = "sallyport";

/** Undefined where nobody has registered a tracer provider. */
export async function telemetryOf(log: Log): Promise<Telemetry | undefined> {
  const registered = (globalThis as { [REGISTERED]?: { readonly trace?: unknown } })[REGISTERED];
  if (!registered?.trace) return undefined;
  try {
    return new Telemetry(await import("@opentelemetry/api"));
  } catch (error) {
    const { message } = error as Error;
    log.warn(`an OpenTelemetry SDK is here, but requests have no spans: @opentelemetry/api: ${message}`);
    return undefined;
  }
}

export class Telemetry {
  readonly #api: Api;
  readonly #tracer: Tracer;

  constructor(api: Api) {
    this.#api = api;
    this.#tracer = api.trace.getTracer(NAME);
  }

  tracing(admit: Admit): Admit {
    return (exchange) => this.#trace(exchange, admit);
  }

  #trace(exchange: Exchange, admit: Admit): string | undefined {
    const { context, propagation, trace: spans, ROOT_CONTEXT, SpanKind } = this.#api;
    exchange.trace ??= new Trace();
    const { trace, request } = exchange;
    const parent = propagation.extract(ROOT_CONTEXT, request.headers, FIELDS);
    const options = {
      kind: SpanKind.SERVER,
      startTime: epoch(trace.begun),
      attributes: attributesOf(exchange),
    };
    const span = this.#tracer.startSpan(request.method, options, parent);
    const inside = spans.setSpan(parent, span);
    exchange.request = { ...request, headers: this.#passedOn(request.headers, inside) };
    const app = context.with(inside, admit, undefined, exchange);
    exchange.whenClosed((outcome) => this.#end(span, inside, trace, outcome, exchange.facts?.app ?? app));
    return app;
  }

  /** The application's parent is our span, in place of the client's. */
  #passedOn(headers: Headers, inside: Context): Headers {
    const { propagation } = this.#api;
    const carrier: Record<string, string> = {};
    propagation.inject(inside, carrier);
    const replaced = new Set(propagation.fields().map((name) => name.toLowerCase()));
    const kept = headers.filter((_, i) => !replaced.has((headers[i - (i % 2)] as string).toLowerCase()));
    return [...kept, ...Object.entries(carrier).flat()];
  }

  #end(span: Span, inside: Context, trace: Trace, outcome: Outcome, app: string | undefined): void {
    const end = trace.endedAt || performance.now();
    if (span.isRecording()) {
      this.#part("queue", inside, trace.queuedAt, trace.handedOverAt || end);
      this.#part("application", inside, trace.handedOverAt, trace.headAt || end);
      this.#describe(span, trace, outcome, app);
    }
    span.end(epoch(end));
  }

  #part(name: string, inside: Context, from: number, to: number): void {
    if (from > 0) this.#tracer.startSpan(name, { startTime: epoch(from) }, inside).end(epoch(to));
  }

  /** A response that was cut, or says that the server failed, is an error. */
  #describe(span: Span, { pid }: Trace, { status, error }: Outcome, app: string | undefined): void {
    if (status > 0) span.setAttribute("http.response.status_code", status);
    if (app !== undefined) span.setAttribute("sallyport.app", app);
    if (pid !== undefined) span.setAttribute("sallyport.worker.pid", pid);
    if (!error && status < 500) return;
    span.setAttribute("error.type", error ? error.code : String(status));
    span.setStatus({ code: this.#api.SpanStatusCode.ERROR, ...(error ? { message: error.message } : {}) });
  }
}

/** Times of a trace as times since 1970 (milliseconds). */
const epoch = (time: number): number => performance.timeOrigin + time;

const FIELDS: TextMapGetter<Headers> = {
  keys: (headers) => headers.filter((_, i) => i % 2 === 0),
  // tracestate and baggage may come in several lines.
  get: (headers, name) => {
    const values = headerValues(headers, name.toLowerCase());
    return values.length > 1 ? values.join(",") : values[0];
  },
};

/** As OpenTelemetry names them for spans of HTTP servers. */
function attributesOf({ request }: Exchange): Attributes {
  const { method, path, query, scheme, version, headers, authority, remote } = request;
  const [, host = "", port] = /^(.*?)(?::(\d+))?$/.exec(authority) ?? [];
  const agent = header(headers, "user-agent");
  return {
    "http.request.method": method,
    "url.path": path,
    "url.scheme": scheme,
    "network.protocol.name": "http",
    "network.protocol.version": version,
    "client.address": remote.address,
    ...(query === "" ? {} : { "url.query": query }),
    ...(host === "" ? {} : { "server.address": host }),
    ...(port === undefined ? {} : { "server.port": Number(port) }),
    ...(agent === undefined ? {} : { "user_agent.original": agent }),
  };
}
