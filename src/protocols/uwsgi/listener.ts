// The application's half of the uwsgi protocol: nginx (`uwsgi_pass`) or Apache (mod_proxy_uwsgi) connects to us for each
// request, and expects a response with a status line, as in HTTP.
// Tested by test/cgi/socket/listener.test.ts.

import { cgiResponseHead } from "../../cgi/head.ts";
import { type ListenerHalf, SocketListener, type SocketListenerOptions } from "../../cgi/socket/listener.ts";
import type { Listener } from "../../exchange/index.ts";
import { checkListener, LISTENER_CHECKS } from "../../options/checks.ts";
import { UwsgiRequestReader } from "./codec.ts";

export type UwsgiListenerOptions = SocketListenerOptions;

const HALF: ListenerHalf = {
  newReader: ({ variables }) => new UwsgiRequestReader(variables),
  compose: (head, options) => cgiResponseHead(head, { ...options, form: "http" }),
};

/** Serves uwsgi on connections that were accepted elsewhere. */
export const uwsgiListener = (options: UwsgiListenerOptions): Listener => {
  checkListener("uwsgiListener()", options, LISTENER_CHECKS);
  return new SocketListener(HALF, options);
};
