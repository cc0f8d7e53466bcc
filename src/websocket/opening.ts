// Reads the client's opening handshake (RFC 6455, 4.2.1; RFC 8441, 5), and makes the fields of our answer (4.2.2).
// Tested by test/websocket/handshake.test.ts.
import { createHash } from "node:crypto";
import {
  type Acceptance,
  type Headers,
  HOP_BY_HOP,
  header,
  headerValues,
  isFieldValue,
  isToken,
  SallyportError,
} from "../exchange/index.ts";
import type { WebSocketClock } from "./clock.ts";
import { agree, type Deflate, NAME } from "./deflate.ts";
import { library } from "./library.ts";
import type { WebSocketLimits } from "./limits.ts";

/** The content of a valid handshake. */
export interface Opening {
  readonly subprotocols: readonly string[];
  /** Agreed compression; undefined where there is none. */
  readonly deflate: Deflate | undefined;
  /** Sec-WebSocket-Accept; "" where no key is exchanged (HTTP/2). */
  readonly accept: string;
}

/** The only version (RFC 6455, 11.6). */
export const VERSION = "13";
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{21}[AQgw]==$/;

const bad = (why: string): SallyportError =>
  new SallyportError("BAD_REQUEST", `a WebSocket handshake ${why}`);

/**
 * Reads the handshake in the fields of a request. `keyed`: HTTP/1.1, where the client sends a key.
 * Throws WEBSOCKET_VERSION (426) and BAD_REQUEST (400).
 */
export function readOpening(headers: Headers, clock: WebSocketClock, keyed: boolean): Opening {
  if (only(headers, "sec-websocket-version") !== VERSION)
    throw new SallyportError("WEBSOCKET_VERSION", "a WebSocket handshake of a version other than 13");
  const accept = keyed ? acceptOf(only(headers, "sec-websocket-key")) : "";
  const subprotocols = readSubprotocols(joined(headers, "sec-websocket-protocol"));
  const offers = clock.limits.compress ? joined(headers, "sec-websocket-extensions") : undefined;
  return { subprotocols, deflate: offers === undefined ? undefined : readOffers(offers, clock), accept };
}

/** The value of a field that must come exactly once. */
function only(headers: Headers, name: string): string | undefined {
  const values = headerValues(headers, name);
  return values.length === 1 ? values[0] : undefined;
}

/** All lines of a field that is a list; undefined when there is none. */
function joined(headers: Headers, name: string): string | undefined {
  return header(headers, name) === undefined ? undefined : headerValues(headers, name).join(", ");
}

function acceptOf(key: string | undefined): string {
  if (key === undefined || !KEY.test(key)) throw bad("without a valid Sec-WebSocket-Key");
  return createHash("sha1")
    .update(key + GUID)
    .digest("base64");
}

function readSubprotocols(value: string | undefined): readonly string[] {
  if (value === undefined) return [];
  try {
    return [...library().subprotocol.parse(value)];
  } catch {
    throw bad("with a malformed Sec-WebSocket-Protocol");
  }
}

const MOST_AGREEMENTS = 64;

function readOffers(value: string, { agreements, limits }: WebSocketClock): Deflate | undefined {
  if (agreements.has(value)) return agreements.get(value);
  const deflate = parseOffers(value, limits);
  // A flood of invented offers only empties the table.
  if (agreements.size >= MOST_AGREEMENTS) agreements.clear();
  agreements.set(value, deflate);
  return deflate;
}

/** An unknown extension is declined by leaving it out of the answer. */
function parseOffers(value: string, limits: WebSocketLimits): Deflate | undefined {
  try {
    return agree(library().extension.parse(value)[NAME] ?? [], limits);
  } catch {
    throw bad("with a malformed Sec-WebSocket-Extensions");
  }
}

/**
 * The fields of the accepting response: ours and then the application's. The transport adds those that HTTP/1.1 needs for the
 * upgrade. Throws APP_PROTOCOL.
 */
export function acceptance({ subprotocols, deflate, accept }: Opening, choice: Acceptance): string[] {
  const fields: string[] = [];
  if (accept !== "") fields.push("Sec-WebSocket-Accept", accept);
  const { subprotocol, headers } = choice;
  if (subprotocol !== undefined) {
    if (!subprotocols.includes(subprotocol))
      throw cannotAccept(`the subprotocol ${JSON.stringify(subprotocol)}, which the client did not offer`);
    fields.push("Sec-WebSocket-Protocol", subprotocol);
  }
  if (deflate) fields.push("Sec-WebSocket-Extensions", deflate.field);
  for (let i = 0; i < headers.length; i += 2)
    addField(fields, headers[i] as string, headers[i + 1] as string);
  return fields;
}

function addField(fields: string[], name: string, value: string): void {
  const lower = name.toLowerCase();
  if (!isToken(name)) throw cannotAccept("a header name that is not a token");
  if (!isFieldValue(value)) throw cannotAccept(`a control character in the header ${name}`);
  if (lower.startsWith("sec-websocket-") || lower === "content-length" || HOP_BY_HOP.has(lower))
    throw cannotAccept(`the header ${name}, which belongs to the handshake`);
  fields.push(name, value);
}

const cannotAccept = (what: string): SallyportError =>
  new SallyportError("APP_PROTOCOL", `the WebSocket cannot be accepted with ${what}`);
