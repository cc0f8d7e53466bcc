// What the admin listener answers, by path. What changes the server, and its status, are the requests of the control socket.
// Nothing here knows whether there is one server process or several.
// Tested by test/admin/listener.test.ts.
import { answerControl } from "../control/answer.ts";
import type { Operations } from "../control/operations.ts";
import type { Exchange } from "../exchange/index.ts";
import type { Snapshot } from "../metrics/index.ts";
import { expose } from "./exposition.ts";
import { reasonsAgainst } from "./readiness.ts";

/** What the endpoints ask. */
export interface AdminSource {
  readonly operations: Operations;
  /** The sums over all server processes; current once `operations.status` has been asked. */
  counts(): Snapshot;
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
  /** GET where the request says HEAD. */
  readonly method: string;
  /** Whether the client may know more than whether the server is ready. */
  readonly knows: boolean;
}

export interface Endpoint {
  readonly path: RegExp;
  readonly method: "GET" | "POST";
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

export const ENDPOINTS: readonly Endpoint[] = [
  { method: "GET", path: /^\/healthz$/, open: true, answer: async () => json(200, { ok: true }) },
  { method: "GET", path: /^\/readyz$/, open: true, answer: readiness },
  { method: "GET", path: /^\/metrics$/, answer: metrics },
  { method: "GET", path: /^\/status$/, answer: control },
  { method: "GET", path: /^\/apps\/[^/]+\/stacks$/, answer: control },
  { method: "POST", path: /^\/reload$/, answer: control },
  { method: "POST", path: /^\/apps\/[^/]+\/(restart|scale)$/, answer: control },
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

/** The listener's limit bounds it. */
async function readBody({ body }: Exchange): Promise<string> {
  const parts: Uint8Array[] = [];
  for (let part = await body.read(); part; part = await body.read()) parts.push(Uint8Array.from(part));
  return Buffer.concat(parts).toString("utf8");
}
