// Both halves of one protocol: our listener, as the application that our gateway connects to.
import type { Handler, Listener } from "../../src/exchange/index.ts";
import { lint } from "../../src/exchange/lint.ts";
import { fastcgiListener } from "../../src/protocols/fastcgi/index.ts";
import { scgiListener } from "../../src/protocols/scgi/index.ts";
import { uwsgiListener } from "../../src/protocols/uwsgi/index.ts";
import { referenceGateway } from "../../src/testing/index.ts";
import { matrixLog as log } from "./log.ts";
import type { Scope } from "./scope.ts";

const LISTENERS = {
  fastcgi: fastcgiListener,
  scgi: scgiListener,
  uwsgi: uwsgiListener,
} satisfies Readonly<Record<string, (options: { handler: Handler; log: typeof log }) => Listener>>;

export type SocketProtocol = keyof typeof LISTENERS;

/** Listens in `protocol` and answers by `handler`; gives the address. */
export async function listenIn(protocol: SocketProtocol, handler: Handler, scope: Scope): Promise<string> {
  const listener = LISTENERS[protocol]({ handler, log });
  const address = await scope.serve((socket) => listener.accept(socket));
  scope.onClose(() => listener.close(0));
  return address;
}

/** The reference application behind our own listener. */
export function applicationOf(protocol: SocketProtocol, scope: Scope): Promise<string> {
  const gateway = lint(referenceGateway());
  return listenIn(protocol, (exchange) => gateway.handle(exchange), scope);
}
