// A CGI gateway over the programs of test/apps/cgi, its contract checked, for the length of one test.
import { after, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Gateway, Log, LogFields } from "../../../src/exchange/index.ts";
import { lint } from "../../../src/exchange/lint.ts";
import { sharedLauncher } from "../../../src/processes/index.ts";
import { type CgiOptions, cgi } from "../../../src/protocols/cgi/index.ts";
import { type Recorded, RecordedExchange, type RecordedRequest } from "../../../src/testing/recorded.ts";

export const PROGRAMS: string = fileURLToPath(new URL("../../apps/cgi", import.meta.url));
export const program = (name: string): string => `${PROGRAMS}/${name}`;

// One launcher for all tests of a file: from source it takes a while to start.
await sharedLauncher.retain();
after(() => sharedLauncher.release());

/** What is killed needs not be given time in tests. */
const QUICK = { killGrace: 100 } as const;

/** Starts a gateway; `name` is one of the programs, or "." for all of them. It is closed when the test ends. */
export async function startCgi(
  t: TestContext,
  name: string,
  options: Partial<CgiOptions> = {},
): Promise<Gateway> {
  const gateway = lint(cgi({ program: program(name), ...QUICK, ...options }));
  t.after(() => gateway.close?.(0));
  await gateway.start?.();
  return gateway;
}

/** The answer to one request. */
export async function ask(gateway: Gateway, request: RecordedRequest = {}): Promise<Recorded> {
  const exchange = new RecordedExchange(request);
  gateway.handle(exchange);
  return await exchange.done;
}

/** What the program `show` was handed. */
export interface Shown {
  readonly env: Readonly<Record<string, string>>;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly length: number;
  readonly body: string;
}

export const shown = ({ body }: Recorded): Shown => JSON.parse(String(body)) as Shown;

/** Resolves with the value of a header once the response has begun. */
export async function headerOf(exchange: RecordedExchange, name: string): Promise<string> {
  while (!exchange.head) await delay(5);
  return exchange.head.headers[exchange.head.headers.indexOf(name) + 1] as string;
}

export interface KeptLog extends Log {
  readonly lines: string[];
  readonly details: string[];
}

/** Keeps every message, and what was said about it. */
export function keptLog(): KeptLog {
  const lines: string[] = [];
  const details: string[] = [];
  const keep = (message: string, fields?: LogFields): void => {
    lines.push(message);
    if (typeof fields?.detail === "string") details.push(fields.detail);
  };
  return { lines, details, debug: keep, info: keep, warn: keep, error: keep };
}
