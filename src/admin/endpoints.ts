// What the admin listener answers, by method and path. The answers are made of what the server says of itself; nothing here
// knows whether there is one server process or several.
// Tested by test/admin/listener.test.ts.
import type { Operations, ServerStatus } from "../control/operations.ts";
import { type Exchange, type ProcessBounds, SallyportError } from "../exchange/index.ts";
import type { Snapshot } from "../metrics/index.ts";
import { expose } from "./exposition.ts";
import { reasonsAgainst } from "./readiness.ts";

/** What the endpoints ask. */
export interface AdminSource {
  readonly operations: Operations;
  /** The sums over all server processes. */
  counts(): Promise<Snapshot>;
}

export interface AdminAnswer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly headers?: readonly string[];
}

interface Question {
  readonly source: AdminSource;
  readonly exchange: Exchange;
  /** The app that the path names. */
  readonly app: string;
  /** Whether the client may know more than whether the server is ready. */
  readonly knows: boolean;
}

export interface Endpoint {
  readonly method: "GET" | "POST";
  readonly path: RegExp;
  /** Answered without a token, too: load balancers have none, and learn nothing more than that. */
  readonly open?: true;
  /** Rejects with a SallyportError. */
  readonly answer: (question: Question) => Promise<AdminAnswer>;
}

export const json = (status: number, value: unknown): AdminAnswer => ({
  status,
  type: "application/json",
  text: `${JSON.stringify(value, null, 2)}\n`,
});

const DONE = json(200, { ok: true });

export const ENDPOINTS: readonly Endpoint[] = [
  { method: "GET", path: /^\/healthz$/, open: true, answer: async () => json(200, { ok: true }) },
  { method: "GET", path: /^\/readyz$/, open: true, answer: readiness },
  { method: "GET", path: /^\/metrics$/, answer: metrics },
  {
    method: "GET",
    path: /^\/status$/,
    answer: async ({ source }) => json(200, await source.operations.status()),
  },
  {
    method: "POST",
    path: /^\/reload$/,
    answer: async ({ source }) => {
      await source.operations.reload();
      return DONE;
    },
  },
  {
    method: "POST",
    path: /^\/apps\/([^/]+)\/restart$/,
    answer: async ({ source, app }) => {
      await source.operations.restart(app);
      return DONE;
    },
  },
  {
    method: "POST",
    path: /^\/apps\/([^/]+)\/scale$/,
    answer: async ({ source, app, exchange }) => {
      await source.operations.scale(app, readBounds(await readBody(exchange)));
      return DONE;
    },
  },
];

async function readiness({ source, knows }: Question): Promise<AdminAnswer> {
  const reasons = reasonsAgainst(await source.operations.status());
  const ready = reasons.length === 0;
  return json(ready ? 200 : 503, ready || !knows ? { ready } : { ready, reasons });
}

async function metrics({ source: { operations, counts } }: Question): Promise<AdminAnswer> {
  const [status, sums] = await Promise.all<[Promise<ServerStatus>, Promise<Snapshot>]>([
    operations.status(),
    counts(),
  ]);
  return { status: 200, ...(await expose(status, sums)) };
}

/** The listener's limit bounds it. */
async function readBody({ body }: Exchange): Promise<string> {
  const parts: Uint8Array[] = [];
  for (let part = await body.read(); part; part = await body.read()) parts.push(Uint8Array.from(part));
  return Buffer.concat(parts).toString("utf8");
}

const BOUNDS = 'the body must be JSON such as {"processes": 4} or {"min": 1, "max": 4}';
/** As many as a configuration may say. */
const MOST_PROCESSES = 1_000_000;

/** Throws BAD_REQUEST. */
export function readBounds(text: string): ProcessBounds {
  const { processes, min = processes, max = processes } = parsed(text);
  if (isCount(min) && isCount(max) && min <= max && max >= 1) return { min, max };
  throw new SallyportError("BAD_REQUEST", `${BOUNDS}, with whole numbers, max 1 or more and not below min`);
}

const isCount = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MOST_PROCESSES;

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {}
  throw new SallyportError("BAD_REQUEST", BOUNDS);
}
