// The server's writer of HTTP/1.1: a response head as bytes (RFC 9112, 4, 6, 9.6). Strings here are latin-1.
// Tested by test/protocols/http1/responses.test.ts.
import {
  errorHead,
  errorText,
  type Headers,
  HeadLines,
  HOP_BY_HOP,
  header,
  KNOWN,
  type ResponseHead,
  type SallyportError,
} from "../../exchange/index.ts";
import { announcedLength } from "../../http/content-length.ts";
import { fieldName, hasMember } from "../../http/fields.ts";
import { STATUS_CODES } from "../../http/status-codes.ts";

const LINE_END = "\r\n";
/** The fields that a 426 must have (RFC 9110, 15.5.22; RFC 6455, 4.4). */
const OTHER_VERSION = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n";

/** How the client finds the end of a body. "none": there is no body, whatever the head announces (HEAD, 204, 304). */
export type BodyFraming = "length" | "chunked" | "close" | "none";

export interface Envelope {
  readonly framing: BodyFraming;
  /** Bytes of the body, where the framing is "length". */
  readonly length: number;
  /** The version of the request: HTTP/1.0 and 1.1 keep a connection by different fields. */
  readonly version: string;
  /** Whether the connection will be used again. */
  readonly persistent: boolean;
}

/** Whether the application asks to close the connection: the only hop-by-hop field of its that counts. */
export function asksToClose(head: ResponseHead): boolean {
  return head instanceof HeadLines ? (head.known & KNOWN.closes) !== 0 : saysClose(head.headers);
}

function saysClose(headers: Headers): boolean {
  const value = header(headers, "connection");
  return value !== undefined && hasMember(value, "close");
}

/** Status line, fields and empty line. Length and connection are set here, the rest is the application's. */
export function responseHead(head: ResponseHead, envelope: Envelope): string {
  const fits = head instanceof HeadLines && (head.known & CONTRADICTS[envelope.framing]) === 0;
  return fits ? completedLines(head, envelope) : composedHead(head, envelope);
}

/** What lines may not have in them that are sent as they are. */
const CONTRADICTS: Readonly<Record<BodyFraming, number>> = {
  length: KNOWN.closes,
  chunked: KNOWN.closes | KNOWN.hasLength,
  close: KNOWN.closes | KNOWN.hasLength,
  none: KNOWN.closes | KNOWN.hasLength,
};

function completedLines(head: HeadLines, envelope: Envelope): string {
  const { known, lines } = head;
  const date = (known & KNOWN.hasDate) === 0 ? dateLine() : "";
  const framing = (known & KNOWN.hasLength) === 0 ? framingLine(head, envelope) : "";
  // Without a reason phrase, the usual one is added.
  const begun = lines[3] === " " ? `HTTP/1.1 ${lines}` : statusLine(head) + lines.slice(5);
  return `${begun}${date}${framing}${connectionLine(envelope)}\r\n`;
}

function composedHead(head: ResponseHead, envelope: Envelope): string {
  let text = statusLine(head);
  let dated = false;
  for (let i = 0; i < head.headers.length; i += 2) {
    const name = head.headers[i] as string;
    const lower = fieldName(name)?.lower ?? "";
    if (lower === "content-length" || HOP_BY_HOP.has(lower)) continue;
    if (lower === "date") dated = true;
    text += `${name}: ${head.headers[i + 1]}\r\n`;
  }
  if (!dated) text += dateLine();
  return `${text}${framingLine(head, envelope)}${connectionLine(envelope)}\r\n`;
}

/**
 * The whole response to a connection that is refused, or to a request that never became an exchange. One to HEAD has no body
 * (RFC 9110, 9.3.2).
 */
export function refusal(error: SallyportError, toHead = false): string {
  const body = errorText(error);
  const envelope = { framing: "length", length: body.length, version: "1.1", persistent: false } as const;
  const head = responseHead(errorHead(error), envelope);
  if (toHead) return head;
  return error.status === 426 ? head.slice(0, -LINE_END.length) + OTHER_VERSION + body : head + body;
}

/** The response that accepts a WebSocket (RFC 6455, 4.2.2). */
export function switchingHead(fields: Headers): string {
  const headers = ["Upgrade", "websocket", "Connection", "Upgrade", ...fields];
  return informHead({ status: 101, reason: "", headers });
}

/** An informational response (RFC 9110, 15.2): nothing is added to it. */
export function informHead(head: ResponseHead): string {
  let text = statusLine(head);
  for (let i = 0; i < head.headers.length; i += 2) text += `${head.headers[i]}: ${head.headers[i + 1]}\r\n`;
  return `${text}\r\n`;
}

/** The end of a chunked body with its trailer. */
export function chunkedEnd(trailers: Headers | undefined): string {
  if (!trailers || trailers.length === 0) return "0\r\n\r\n";
  let text = "0\r\n";
  for (let i = 0; i < trailers.length; i += 2) text += `${trailers[i]}: ${trailers[i + 1]}\r\n`;
  return `${text}\r\n`;
}

/**
 * The end of a chunked body that was cut: the size of a chunk that does not come. Readers that do not wait for the end of the
 * line would otherwise take the zeros of a probe for the last chunk, and a cut between two chunks for the end.
 */
export const MISSING_CHUNK = "1\r\n";

const statusLines = new Map<number, string>();

function statusLine({ status, reason }: ResponseHead): string {
  if (reason !== "") return `HTTP/1.1 ${status} ${reason}\r\n`;
  const ready = statusLines.get(status);
  if (ready !== undefined) return ready;
  const line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
  statusLines.set(status, line);
  return line;
}

function framingLine(head: ResponseHead, { framing, length }: Envelope): string {
  if (framing === "length") return `Content-Length: ${length}\r\n`;
  if (framing === "chunked") return "Transfer-Encoding: chunked\r\n";
  if (framing === "close") return "";
  const announced = announcedLength(head);
  return announced >= 0 ? `Content-Length: ${announced}\r\n` : "";
}

function connectionLine({ version, persistent }: Envelope): string {
  if (!persistent) return "Connection: close\r\n";
  return version === "1.0" ? "Connection: keep-alive\r\n" : "";
}

let second = -1;
let line = "";

/** The Date line, made once a second. */
function dateLine(): string {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    line = `Date: ${new Date(now * 1000).toUTCString()}\r\n`;
  }
  return line;
}
