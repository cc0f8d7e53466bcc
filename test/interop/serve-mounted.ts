// A gateway of ours behind our own HTTP listener, on a free port, for applications that somebody else serves.
import { type AddressInfo, createServer } from "node:net";
import type { Gateway, Log, LogFields } from "../../src/exchange/index.ts";
import { type LintError, lint } from "../../src/exchange/lint.ts";
import { httpListener } from "../../src/protocols/http1/index.ts";

export interface Site {
  readonly url: string;
  /** What was logged. */
  readonly lines: readonly string[];
  readonly violations: readonly LintError[];
  close(): Promise<void>;
}

const MOUNT = "/mounted";
const isMounted = (path: string): boolean => path === MOUNT || path.startsWith(`${MOUNT}/`);

/** Serves what `make` makes, once it has started, at the root and below /mounted. */
export async function site(make: (log: Log) => Gateway): Promise<Site> {
  const lines: string[] = [];
  const violations: LintError[] = [];
  const log = keeping(lines);
  const gateway = lint(make(log), (violation) => violations.push(violation));
  await gateway.start?.();
  const listener = httpListener({
    log,
    handler(exchange) {
      if (isMounted(exchange.request.path)) exchange.mount = MOUNT;
      gateway.handle(exchange);
    },
  });
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => listener.accept(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lines,
    violations,
    async close() {
      server.close();
      await listener.close(0);
      await gateway.close?.(2_000);
    },
  };
}

function keeping(lines: string[]): Log {
  const at = (message: string, fields: LogFields = {}): void => {
    lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  return { debug: () => {}, info: at, warn: at, error: at };
}
