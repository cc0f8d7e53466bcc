// The demonstration's own part of its server: the pages, and what they ask below /demo/.
// Tested by test/demo/demonstration.test.ts.
import { sentErrorOf } from "../control/sent-error.ts";
import { type Exchange, type Gateway, SallyportError, statusInProcess } from "../exchange/index.ts";
import { pageFile } from "../pages/files.ts";
import { checkOrigin } from "./guard.ts";
import { type BehindRequest, behindRequest, type RaceRequest, raceRequest } from "./questions.ts";

/** What the site shows. */
export interface SiteParts {
  /** Where it listens. */
  readonly host: string;
  /** The answer to /demo/doors. */
  doors(): object;
  /** Rejects with NOT_FOUND. */
  recording(id: number): Promise<object>;
  /** Writes the events of a race to the exchange, which has not been answered. Throws RACE_RUNNING. */
  race(request: RaceRequest, exchange: Exchange): void;
  /** Rejects with NGINX_MISSING, QUEUE_FULL, SPAWN_FAILED. */
  behind(request: BehindRequest): Promise<object>;
  /** Ends a race and what else is under way. */
  close(): Promise<void>;
}

const PAGES = new URL("pages/", import.meta.url);
/** Bytes of a question. */
const LONGEST_QUESTION = 4_096;

/** Undefined when it has been answered. */
type Answer = Promise<Answered | undefined>;

interface Answered {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly headers?: readonly string[];
}

interface Endpoint {
  readonly method: "GET" | "POST";
  readonly path: RegExp;
  readonly answer: (site: SiteParts, exchange: Exchange, part: string) => Answer;
}

const ENDPOINTS: readonly Endpoint[] = [
  { method: "GET", path: /^\/$/, answer: () => asset("index.html") },
  { method: "GET", path: /^\/pages\/([\w-]+\.\w+)$/, answer: (_site, _exchange, name) => asset(name) },
  { method: "GET", path: /^\/demo\/doors$/, answer: async (site) => json(200, site.doors()) },
  {
    method: "GET",
    path: /^\/demo\/recordings\/(\d{1,15})$/,
    answer: async (site, _exchange, id) => json(200, await site.recording(Number(id))),
  },
  {
    method: "POST",
    path: /^\/demo\/race$/,
    async answer(site, exchange) {
      site.race(raceRequest(await readQuestion(exchange)), exchange);
      return undefined;
    },
  },
  {
    method: "POST",
    path: /^\/demo\/behind$/,
    answer: async (site, exchange) =>
      json(200, await site.behind(behindRequest(await readQuestion(exchange)))),
  },
];

export const siteGateway = (site: SiteParts): Gateway => ({
  handle(exchange) {
    answer(site, exchange)
      .catch((reason: unknown) => refusal(SallyportError.from(reason)))
      .then((answered) => answered && send(exchange, answered));
  },
  status: () => statusInProcess("site"),
  leave: () => void site.close(),
  close: () => site.close(),
});

async function answer(site: SiteParts, exchange: Exchange): Answer {
  const { path, method } = exchange.request;
  const found = ENDPOINTS.filter((each) => each.path.test(path));
  const endpoint = found.find((each) => each.method === (method === "HEAD" ? "GET" : method));
  if (found.length === 0) throw new SallyportError("NOT_FOUND", `there is nothing at ${path}`);
  if (!endpoint) throw new SallyportError("METHOD_NOT_ALLOWED", `${path} answers ${found[0]?.method}`);
  if (path.startsWith("/demo/")) checkOrigin(exchange.request, site.host);
  return endpoint.answer(site, exchange, endpoint.path.exec(path)?.[1] ?? "");
}

function send(exchange: Exchange, { status, type, text, headers = [] }: Answered): void {
  const fields = ["Content-Type", type, "Cache-Control", "no-store", ...headers];
  if (!exchange.closed) exchange.respond({ status, reason: "", headers: fields }, text);
}

const json = (status: number, value: unknown): Answered => ({
  status,
  type: "application/json",
  text: `${JSON.stringify(value)}\n`,
});

async function asset(name: string): Answer {
  const found = await pageFile(PAGES, name);
  if (found) return { status: 200, ...found };
  throw new SallyportError("NOT_FOUND", `there is no page ${name}`);
}

/** With the reason: who sees the demonstration runs it. */
function refusal(error: SallyportError): Answered {
  const { code, message } = sentErrorOf(error);
  return json(error.status || 500, { code, message, ...(error.status === 503 ? { why: message } : {}) });
}

/** Rejects with BAD_REQUEST, BODY_TOO_LARGE. */
async function readQuestion({ body }: Exchange): Promise<unknown> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let part = await body.read(); part; part = await body.read()) {
    size += part.length;
    if (size > LONGEST_QUESTION)
      throw new SallyportError("BODY_TOO_LARGE", `a question has at most ${LONGEST_QUESTION} bytes`);
    parts.push(Uint8Array.from(part));
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch (cause) {
    throw new SallyportError("BAD_REQUEST", "the body is no JSON", { cause });
  }
}
