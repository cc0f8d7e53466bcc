// Connections that are on their way to a listener: their PROXY header or their TLS handshake has not arrived completely. When
// the server stops, a request may be behind it, as on a new connection without them (LAST_REQUEST of HTTP/1.1).
// Tested by test/sockets/tls/acceptor.test.ts.
import { setTimeout as delay } from "node:timers/promises";

/** Milliseconds that they have when the server stops. */
export const LAST_HANDSHAKE = 500;
/** Milliseconds between two looks. */
const LOOK = 10;

/** Resolves when there are none, after `patience` milliseconds at the latest. */
export async function untilNone(pending: { readonly size: number }, patience: number): Promise<void> {
  const deadline = performance.now() + patience;
  while (pending.size > 0 && performance.now() < deadline) await delay(LOOK);
}
