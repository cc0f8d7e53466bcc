// The application's half of SCGI (protocol.txt, 2 and 3): a web server in front connects to us for each request.
// Tested by test/cgi/socket/listener.test.ts.

import { cgiResponseHead } from "../../cgi/head.ts";
import { type ListenerHalf, SocketListener, type SocketListenerOptions } from "../../cgi/socket/listener.ts";
import type { Listener } from "../../exchange/index.ts";
import { checkListener, LISTENER_CHECKS } from "../../options/checks.ts";
import { ScgiRequestReader } from "./codec.ts";

export type ScgiListenerOptions = SocketListenerOptions;

const HALF: ListenerHalf = {
  newReader: ({ variables }) => new ScgiRequestReader(variables),
  compose: cgiResponseHead,
};

/** Serves SCGI on connections that were accepted elsewhere. */
export const scgiListener = (options: ScgiListenerOptions): Listener => {
  checkListener("scgiListener()", options, LISTENER_CHECKS);
  return new SocketListener(HALF, options);
};
