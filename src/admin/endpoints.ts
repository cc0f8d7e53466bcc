// What the admin listener answers, by path. What changes the server, and its status, are the requests of the control socket.
// Nothing here knows whether there is one server process or several.
// Tested by test/admin/listener.test.ts.
import { answerControl } from "../control/answer.ts";
import type { Operations } from "../control/operations.ts";
import { type Exchange, SallyportError } from "../exchange/index.ts";
import type { LogTail } from "../logs/tail.ts";
import type { Snapshot } from "../metrics/index.ts";
import { pageFile } from "../pages/files.ts";
import { expose } from "./exposition.ts";
import type { Inspections } from "./inspection.ts";
import type { LiveStreams } from "./live.ts";
import { reasonsAgainst } from "./readiness.ts";

/** What the endpoints ask. */
export interface AdminSource {
  readonly operations: Operations;
  /** The sums over all server processes; current once `operations.status` has been asked. */
  counts(): Snapshot;
  /** The last lines of the log of this process, where that is not one of the server processes. */
  readonly tail?: LogTail | undefined;
}

/** What the admin listener itself has. */
export interface AdminParts extends AdminSource {
  readonly inspections: Inspections;
  readonly live: LiveStreams;
}

export interface AdminAnswer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly headers?: readonly string[];
  /** Answers instead, over a time. */
  readonly stream?: (exchange: Exchange) => void;
}

interface Question {
  readonly source: AdminParts;
  readonly exchange: Exchange;
  /** GET where the request says HEAD. */
  readonly method: string;
  /** What `path` of the endpoint has in its groups. */
  readonly parts: readonly string[];
  /** Whether the client may know more than whether the server is ready. */
  readonly knows: boolean;
}

export interface Endpoint {
  readonly path: RegExp;
  readonly method: "GET" | "POST" | "DELETE";
  /** Answered without a token, too: load balancers have none, and learn nothing more than that; pages ask for it. */
  readonly open?: true;
  /** Rejects with a SallyportError. */
  readonly answer: (question: Question) => Promise<AdminAnswer>;
}

export const json = (status: number, value: unknown): AdminAnswer => ({
  status,
  type: "application/json",
  text: `${JSON.stringify(value, null, 2)}\n`,
});

export const ENDPOINTS: readonly Endpoint[] = [
  { method: "GET", path: /^\/healthz$/, open: true, answer: async () => json(200, { ok: true }) },
  { method: "GET", path: /^\/readyz$/, open: true, answer: readiness },
  { method: "GET", path: /^\/metrics$/, answer: metrics },
  { method: "GET", path: /^\/status$/, answer: control },
  { method: "GET", path: /^\/apps\/[^/]+\/stacks$/, answer: control },
  { method: "POST", path: /^\/reload$/, answer: control },
  { method: "POST", path: /^\/apps\/[^/]+\/(restart|scale)$/, answer: control },
  { method: "GET", path: /^\/captures$/, answer: captures },
  { method: "POST", path: /^\/captures$/, answer: capture },
  { method: "DELETE", path: /^\/captures$/, answer: forget },
  { method: "GET", path: /^\/captures\/([\w-]+)$/, answer: recording },
  { method: "GET", path: /^\/captures\/([\w-]+)\.json$/, answer: download },
  { method: "POST", path: /^\/captures\/([\w-]+)\/replay$/, answer: replay },
  {
    method: "GET",
    path: /^\/requests$/,
    answer: async ({ source }) => json(200, await source.inspections.requests()),
  },
  { method: "GET", path: /^\/log$/, answer: log },
  { method: "GET", path: /^\/events$/, answer: events },
  { method: "GET", path: /^\/$/, open: true, answer: () => asset("index.html") },
  {
    method: "GET",
    path: /^\/pages\/([\w-]+\.\w+)$/,
    open: true,
    answer: ({ parts }) => asset(parts[0] ?? ""),
  },
];

async function readiness({ source, knows }: Question): Promise<AdminAnswer> {
  const reasons = reasonsAgainst(await source.operations.status());
  const ready = reasons.length === 0;
  return json(ready ? 200 : 503, ready || !knows ? { ready } : { ready, reasons });
}

async function metrics({ source: { operations, counts } }: Question): Promise<AdminAnswer> {
  const status = await operations.status();
  return { status: 200, ...(await expose(status, counts())) };
}

/** As the control socket answers. */
async function control({ source, exchange, method }: Question): Promise<AdminAnswer> {
  const { path } = exchange.request;
  const request = { method, path, body: await readBody(exchange) };
  const { status, value } = await answerControl(source.operations, request);
  return json(status, value);
}

async function captures({ source }: Question): Promise<AdminAnswer> {
  return json(200, await source.inspections.captures());
}

/** Begins, or ends with `{"on": false}`. */
async function capture(question: Question): Promise<AdminAnswer> {
  const { inspections } = question.source;
  const { on = true } = await readObject(question.exchange);
  if (typeof on !== "boolean")
    throw new SallyportError("BAD_REQUEST", 'the body must be empty, or {"on": false}');
  await (on ? inspections.begin() : inspections.end());
  return captures(question);
}

/** Ends it, and forgets what was captured. */
async function forget(question: Question): Promise<AdminAnswer> {
  await question.source.inspections.end();
  await question.source.inspections.forget();
  return captures(question);
}

async function recording({ source, parts: [id = ""] }: Question): Promise<AdminAnswer> {
  return json(200, await source.inspections.recording(id));
}

async function download(question: Question): Promise<AdminAnswer> {
  const name = `sallyport-${question.parts[0]}.json`;
  return {
    ...(await recording(question)),
    headers: ["Content-Disposition", `attachment; filename="${name}"`],
  };
}

async function replay({ source, exchange, parts: [id = ""] }: Question): Promise<AdminAnswer> {
  const { app } = await readObject(exchange);
  if (app !== undefined && typeof app !== "string")
    throw new SallyportError("BAD_REQUEST", 'the body must be empty, or {"app": "the name of an app"}');
  return json(200, { id: await source.inspections.replay(id, app) });
}

/** `?since=TIME`: those from then on. */
async function log({ source, exchange }: Question): Promise<AdminAnswer> {
  const since = Number(new URLSearchParams(exchange.request.query).get("since") ?? 0);
  if (!(since >= 0)) throw new SallyportError("BAD_REQUEST", "since must be milliseconds since 1970");
  return json(200, await source.inspections.log(since));
}

async function events({ source: { live } }: Question): Promise<AdminAnswer> {
  live.check();
  return { status: 200, type: "", text: "", stream: (exchange) => live.open(exchange) };
}

const PAGES = new URL("pages/", import.meta.url);

async function asset(name: string): Promise<AdminAnswer> {
  const found = await pageFile(PAGES, name);
  if (found) return { status: 200, ...found };
  throw new SallyportError("NOT_FOUND", `there is no page ${name}`);
}

/** An empty body is an empty object. Throws BAD_REQUEST. */
async function readObject(exchange: Exchange): Promise<{ readonly on?: unknown; readonly app?: unknown }> {
  const text = await readBody(exchange);
  try {
    return text === "" ? {} : Object(JSON.parse(text));
  } catch (cause) {
    throw new SallyportError("BAD_REQUEST", "the body is no JSON", { cause });
  }
}

/** The listener's limit bounds it. */
async function readBody({ body }: Exchange): Promise<string> {
  const parts: Uint8Array[] = [];
  for (let part = await body.read(); part; part = await body.read()) parts.push(Uint8Array.from(part));
  return Buffer.concat(parts).toString("utf8");
}
