// The head of the answer to an opening handshake, as a library writes it to a socket (RFC 6455, 4.2.2; RFC 9112, 4 and 5).
// Tested by test/apps/node-upgrade.test.ts.
import { isFieldValue, isToken, SallyportError } from "../exchange/index.ts";

export interface AnsweredHead {
  readonly status: number;
  /** Without those of the handshake and of the connection. */
  readonly headers: string[];
  readonly subprotocol: string | undefined;
}

const STATUS_LINE = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |$)/;
/** The listener makes these itself. */
const OF_THE_LISTENER: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "sec-websocket-accept",
  "transfer-encoding",
  "upgrade",
]);

/** Lines without the empty one at their end. Throws APP_PROTOCOL. */
export function readAnswer(text: string): AnsweredHead {
  const [first = "", ...lines] = text.split("\r\n");
  const status = Number(STATUS_LINE.exec(first)?.[1] ?? 0);
  if (status !== 101 && status < 200) throw wrong("no status line of HTTP/1.1");
  const headers: string[] = [];
  let subprotocol: string | undefined;
  for (const [name, value] of lines.map(fieldOf)) {
    const lower = name.toLowerCase();
    if (OF_THE_LISTENER.has(lower)) continue;
    if (lower === "sec-websocket-extensions") throw wrong("an extension, and was offered none");
    if (lower === "sec-websocket-protocol") subprotocol = value;
    else headers.push(name, value);
  }
  return { status, headers, subprotocol };
}

function fieldOf(line: string): [string, string] {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0));
  const value = line.slice(colon + 1).trim();
  if (isToken(name) && isFieldValue(value)) return [name, value];
  throw wrong("a malformed header");
}

const wrong = (what: string): SallyportError =>
  new SallyportError("APP_PROTOCOL", `the answer to a WebSocket handshake has ${what}`);
