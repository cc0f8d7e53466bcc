// Our listeners on free ports of the loopback, each in front of an application of another kind: the web servers
// under test connect to them.
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { fetchApp, nodeApp } from "../../src/apps/index.ts";
import type { Gateway, Handler, Listener } from "../../src/exchange/index.ts";
import { silentLog } from "../../src/exchange/index.ts";
import { type LintError, lint } from "../../src/exchange/lint.ts";
import { fastcgiListener } from "../../src/protocols/fastcgi/index.ts";
import { scgiListener } from "../../src/protocols/scgi/index.ts";
import { uwsgiListener } from "../../src/protocols/uwsgi/index.ts";
import { fetchReference, nodeReference } from "../../src/testing/index.ts";

const log = silentLog;

const LISTENERS = {
  fastcgi: (handler: Handler) => fastcgiListener({ handler, log }),
  scgi: (handler: Handler) => scgiListener({ handler, log }),
  uwsgi: (handler: Handler) => uwsgiListener({ handler, log }),
} satisfies Record<string, (handler: Handler) => Listener>;

export type Protocol = keyof typeof LISTENERS;

export interface StartedListener {
  /** HOST:PORT. */
  readonly address: string;
  /** Connections that were made so far, and those that are open. */
  readonly accepted: number;
  readonly open: ReadonlySet<Socket>;
  /** Rules of the exchange's contract that were broken. */
  readonly violations: readonly LintError[];
  close(): Promise<void>;
}

/** The application that behaves as the conformance suite says, as a TypeScript handler. */
export const nodeApplication = (): Gateway => nodeApp(nodeReference, { log });
export const fetchApplication = (): Gateway => fetchApp(fetchReference, { log });

/** Listens in `protocol`, and answers by `gateway`, which is started and closed along. */
export async function startListener(protocol: Protocol, gateway: Gateway): Promise<StartedListener> {
  const violations: LintError[] = [];
  const checked = lint(gateway, (violation) => violations.push(violation));
  await checked.start?.();
  const listener = LISTENERS[protocol]((exchange) => checked.handle(exchange));
  const open = new Set<Socket>();
  let accepted = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    accepted++;
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    listener.accept(socket);
  });
  return {
    address: await listening(server),
    get accepted() {
      return accepted;
    },
    open,
    violations,
    async close() {
      server.close();
      await listener.close(0);
      await checked.close?.(0);
    },
  };
}

/** For configurations that say 9001 and the like. */
export const portOf = ({ address }: StartedListener): string => address.split(":")[1] ?? "";

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
