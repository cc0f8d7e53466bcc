// The web server's half of SCGI (protocol.txt, 2): a connection to the application for each request.
// Tested by test/cgi/socket/gateway.test.ts.

import { checkSocketGateway, SocketGateway, type SocketGatewayOptions } from "../../cgi/socket/gateway.ts";
import type { Gateway } from "../../exchange/index.ts";
import { encodeScgiRequest } from "./codec.ts";

export type ScgiOptions = SocketGatewayOptions;

/** A gateway to an application that listens for SCGI. Throws CONFIG_INVALID. */
export const scgi = (options: ScgiOptions): Gateway => {
  checkSocketGateway("scgi()", options);
  return new SocketGateway("SCGI", encodeScgiRequest, options);
};
