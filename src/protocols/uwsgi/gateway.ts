// The web server's half of the uwsgi protocol (uWSGI's manual, "The uwsgi Protocol"): a connection for each request.
// Tested by test/cgi/socket/gateway.test.ts.

import { checkSocketGateway, SocketGateway, type SocketGatewayOptions } from "../../cgi/socket/gateway.ts";
import type { Gateway } from "../../exchange/index.ts";
import { encodeUwsgiRequest } from "./codec.ts";

export type UwsgiOptions = SocketGatewayOptions;

/** A gateway to an application that listens for uwsgi: uWSGI, for the most part. Throws CONFIG_INVALID. */
export const uwsgi = (options: UwsgiOptions): Gateway => {
  checkSocketGateway("uwsgi()", options);
  return new SocketGateway("uwsgi", encodeUwsgiRequest, options);
};
