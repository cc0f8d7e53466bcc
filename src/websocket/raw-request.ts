// The opening handshake for a library that answers it by itself, on a RawWebSocket.
// Tested by test/apps/node-upgrade.test.ts.
import { type Headers, header, type RequestHead } from "../exchange/index.ts";

/** As HTTP/1.1 has it (RFC 6455, 4.1), also of an extended CONNECT (RFC 8441), which has no key. */
export const rawRequest = (request: RequestHead): RequestHead => ({
  ...request,
  version: "1.1",
  headers: openingFields(request.headers),
});

/** Compression is the listener's: none is offered to the application. */
function openingFields(sent: Headers): string[] {
  const fields: string[] = [];
  for (let i = 0; i < sent.length; i += 2) {
    const name = sent[i] as string;
    if (name.toLowerCase() !== "sec-websocket-extensions") fields.push(name, sent[i + 1] as string);
  }
  if (header(sent, "sec-websocket-key") === undefined)
    fields.push("Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Key", ANY_KEY);
  return fields;
}

/** 16 bytes in base64: the library wants a key, and its answer to it is for nobody. */
const ANY_KEY = "AAAAAAAAAAAAAAAAAAAAAA==";
