// A gateway of ours behind our own HTTP listener, for applications that other servers serve.
import type { Gateway, Log } from "../../src/exchange/index.ts";
import { type LintError, lint } from "../../src/exchange/lint.ts";
import { keepLog, type Line } from "../kit/keep-log.ts";
import { type ServedGateway, serveGateway } from "../kit/serve-gateway.ts";

export interface Mounted extends ServedGateway {
  readonly lines: readonly Line[];
  /** Rules of the exchange's contract that were broken. */
  readonly violations: readonly LintError[];
}

const MOUNT = "/mounted";
const isMounted = (path: string): boolean => path === MOUNT || path.startsWith(`${MOUNT}/`);

/** Serves the gateway that `make` makes, once it has started, at the root and below /mounted. */
export async function serveMounted(make: (log: Log) => Gateway): Promise<Mounted> {
  const { log, lines } = keepLog();
  const violations: LintError[] = [];
  const gateway = lint(make(log), (violation) => violations.push(violation));
  await gateway.start?.();
  const mounted: Gateway = {
    handle(exchange) {
      if (isMounted(exchange.request.path)) exchange.mount = MOUNT;
      gateway.handle(exchange);
    },
    close: (grace) => gateway.close?.(grace) ?? Promise.resolve(),
  };
  return { ...(await serveGateway(mounted, log)), lines, violations };
}
