// Starts an ASGI gateway behind a real listener: asked by raw clients, by the library's WebSockets or without any listener,
// closed with the test; its log, and what the application recorded, are kept.
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type ClientOptions, WebSocket } from "ws";
import type { Exchange, Gateway } from "../../src/exchange/index.ts";
import { lint } from "../../src/exchange/lint.ts";
import { type AsgiOptions, asgi } from "../../src/protocols/asgi/index.ts";
import type { HttpLimits } from "../../src/protocols/http1/index.ts";
import { type Recorded, RecordedExchange, type RecordedRequest } from "../../src/testing/recorded.ts";
import { keepLog, type Line } from "./keep-log.ts";
import { makeFolder } from "./make-folder.ts";
import { type Client, serve } from "./serve-http1.ts";
import { until } from "./until.ts";

export const APPS: string = fileURLToPath(new URL("../apps/asgi", import.meta.url));

export interface StartedAsgi {
  readonly gateway: Gateway;
  readonly port: number;
  readonly lines: Line[];
  logged(pattern: RegExp): Promise<Line>;
  /** The lines that the application recorded, in order. */
  records(): string[];
  /** Resolves when one of the lines matches; with how often it was there. */
  recorded(pattern: RegExp): Promise<string>;
  /** A path that does not exist until `touch`. */
  readonly file: string;
  touch(): void;
  /** Without a listener. */
  exchange(target: string, request?: RecordedRequest): RecordedExchange;
  ask(target: string, request?: RecordedRequest): Promise<Recorded>;
  /** By raw HTTP/1.1: the request line's target, and more header lines. */
  client(target: string, ...headers: string[]): Promise<Client>;
  socket(path: string, subprotocols?: string[], options?: ClientOptions): WebSocket;
  open(path: string, subprotocols?: string[], options?: ClientOptions): Promise<WebSocket>;
}

export async function startAsgi(
  t: TestContext,
  options: AsgiOptions = {},
  limits: Partial<HttpLimits> = {},
  app = "pages",
): Promise<StartedAsgi> {
  const folder = makeFolder(t);
  const [notes, file] = [join(folder, "records"), join(folder, "go")];
  const { log, lines, logged } = keepLog();
  const env = { PAGES_LOG: notes, ...options.env };
  const gateway = lint(asgi(app, { chdir: APPS, python: "python3", ...options, env, log }));
  t.after(() => gateway.close?.(2_000));
  await gateway.start?.();
  const mounted = (exchange: Exchange): void => {
    if (exchange.request.path.startsWith("/mounted")) exchange.mount = "/mounted";
    gateway.handle(exchange);
  };
  const front = await serve(t, mounted, limits);
  const records = (): string[] => linesOf(notes);
  const exchange = (target: string, request: RecordedRequest = {}): RecordedExchange => {
    const asked = new RecordedExchange({ ...request, target, log });
    gateway.handle(asked);
    return asked;
  };
  const socket = (path: string, subprotocols: string[] = [], more: ClientOptions = {}): WebSocket => {
    const client = new WebSocket(`ws://127.0.0.1:${front.port}${path}`, subprotocols, more);
    client.on("error", () => {});
    t.after(() => client.terminate());
    return client;
  };
  return {
    gateway,
    port: front.port,
    lines,
    logged,
    records,
    async recorded(pattern) {
      await until(() => records().some((line) => pattern.test(line)));
      return records().find((line) => pattern.test(line)) as string;
    },
    file,
    touch: () => writeFileSync(file, ""),
    exchange,
    ask: (target, request) => exchange(target, request).done,
    async client(target, ...headers) {
      const client = await front.client();
      return client.send(
        `GET ${target} HTTP/1.1\r\nHost: a\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n`,
      );
    },
    socket,
    async open(path, subprotocols, more) {
      const client = socket(path, subprotocols, more);
      await once(client, "open");
      return client;
    },
  };
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n").slice(0, -1);
  } catch {
    return [];
  }
}

/** The code and the reason with which a WebSocket closed. */
export async function ending(client: WebSocket): Promise<string> {
  const [code, reason] = (await once(client, "close")) as [number, Buffer];
  return `${code} ${reason}`.trim();
}

/** The next messages, bytes in hexadecimal digits. */
export function messages(client: WebSocket, count: number): Promise<string[]> {
  const seen: string[] = [];
  return new Promise((resolve) => {
    const hear = (data: Buffer, binary: boolean): void => {
      seen.push(binary ? `<${data.toString("hex")}>` : data.toString());
      if (seen.length < count) return;
      client.off("message", hear);
      resolve(seen);
    };
    client.on("message", hear);
  });
}
