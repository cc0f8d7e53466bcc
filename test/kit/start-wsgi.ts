// Starts a WSGI gateway, in daemon mode unless the options say otherwise: asked without a listener, closed with the test,
// its log kept.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Gateway } from "../../src/exchange/index.ts";
import { lint } from "../../src/exchange/lint.ts";
import { type WsgiOptions, wsgi } from "../../src/protocols/wsgi/index.ts";
import { type Recorded, RecordedExchange, type RecordedRequest } from "../../src/testing/recorded.ts";
import { keepLog, type Line } from "./keep-log.ts";
import { makeFolder } from "./make-folder.ts";

export const APPS: string = fileURLToPath(new URL("../apps/wsgi", import.meta.url));

export interface StartedWsgi {
  readonly gateway: Gateway;
  readonly lines: Line[];
  /** The words that the application's iterables recorded, in order. */
  records(): string[];
  /** Resolves with the first line of the log, past or future, whose text matches. */
  logged(pattern: RegExp): Promise<Line>;
  exchange(request: RecordedRequest): RecordedExchange;
  ask(target: string, request?: RecordedRequest): Promise<Recorded>;
  json(target: string, request?: RecordedRequest): Promise<Record<string, unknown>>;
}

type Scope = Pick<TestContext, "after">;

export async function startWsgi(t: Scope, app: string, options: WsgiOptions = {}): Promise<StartedWsgi> {
  const folder = makeFolder(t);
  const record = join(folder, "records");
  const { log, lines, logged } = keepLog();
  const gateway = lint(
    wsgi(app, {
      chdir: APPS,
      python: "python3",
      ...options,
      env: { AWKWARD_LOG: record, ...options.env },
      log,
    }),
  );
  t.after(() => gateway.close?.(2000));
  await gateway.start?.();
  const exchange = (request: RecordedRequest): RecordedExchange => {
    const asked = new RecordedExchange({ ...request, log });
    gateway.handle(asked);
    return asked;
  };
  const ask = (target: string, request: RecordedRequest = {}): Promise<Recorded> =>
    exchange({ ...request, target }).done;
  return {
    gateway,
    lines,
    logged,
    exchange,
    ask,
    records: () => wordsOf(record),
    json: async (target, request) => JSON.parse((await ask(target, request)).body.toString()),
  };
}

function wordsOf(record: string): string[] {
  try {
    return readFileSync(record, "utf8").split("\n").slice(0, -1);
  } catch {
    return [];
  }
}
