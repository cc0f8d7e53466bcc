// Responses as text ready to send: a head in the lines of HTTP/1.1, a body of one character per byte. A list of fields, or
// bytes, are made only when read.
// Tested by test/exchange/base-exchange.test.ts.
import type { ResponseHead } from "./exchange.ts";
import type { Headers } from "./headers.ts";

/** Flags of facts about a head's lines. python/sallyport/link.py has the same numbers. */
export const KNOWN = { hasLength: 1, hasDate: 2, closes: 4 } as const;

/**
 * A response head whose maker has checked it: the status code, a space, the phrase, then `Name: value`, each line ended by
 * CRLF; latin-1. No value has control characters, and of the hop-by-hop fields there is only `Connection: close`.
 */
export class HeadLines implements ResponseHead {
  readonly status: number;
  readonly lines: string;
  /** Flags of KNOWN. With `hasLength`, a body given in one call has the announced length. */
  readonly known: number;
  #headers: Headers | undefined;

  constructor(lines: string, known: number) {
    this.status = Number(lines.slice(0, 3));
    this.lines = lines;
    this.known = known;
  }

  get reason(): string {
    return this.lines.slice(4, this.lines.indexOf("\r\n"));
  }

  get headers(): Headers {
    this.#headers ??= fieldsOf(this.lines);
    return this.#headers;
  }
}

/** Bytes as text, one latin-1 character per byte. */
export class Latin1 {
  /** Only declared, like its length: the constructor makes the fields, and does so for every response. */
  declare readonly text: string;
  /** In bytes. */
  declare readonly length: number;

  constructor(text: string) {
    this.text = text;
    this.length = text.length;
  }

  get bytes(): Uint8Array {
    return Buffer.from(this.text, "latin1");
  }
}

/** The whole body of a response: bytes, text to be encoded as UTF-8, or bytes as text. */
export type ResponseBody = Uint8Array | string | Latin1;

export function bytesOf(body: ResponseBody): Uint8Array {
  if (body instanceof Latin1) return body.bytes;
  return typeof body === "string" ? Buffer.from(body) : body;
}

/** Its length in bytes. */
export const sizeOf = (body: ResponseBody): number =>
  typeof body === "string" ? Buffer.byteLength(body) : body.length;

function fieldsOf(lines: string): Headers {
  const fields: string[] = [];
  let start = lines.indexOf("\r\n") + 2;
  while (start < lines.length) {
    const end = lines.indexOf("\r\n", start);
    const colon = lines.indexOf(": ", start);
    fields.push(lines.slice(start, colon), lines.slice(colon + 2, end));
    start = end + 2;
  }
  return fields;
}
