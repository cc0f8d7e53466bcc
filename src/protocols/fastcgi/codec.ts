// Records of FastCGI 1.0 (specification, 3.3, 4, 5), both directions, pure: bytes in, records out, and back.
import { pieceOf } from "../../exchange/blocks.ts";
import { type ErrorName, SallyportError } from "../../exchange/index.ts";

/** Record types (8). */
export const TYPE = {
  BEGIN_REQUEST: 1,
  ABORT_REQUEST: 2,
  END_REQUEST: 3,
  PARAMS: 4,
  STDIN: 5,
  STDOUT: 6,
  STDERR: 7,
  DATA: 8,
  GET_VALUES: 9,
  GET_VALUES_RESULT: 10,
  UNKNOWN_TYPE: 11,
} as const;

export const ROLE = { responder: 1, authorizer: 2, filter: 3 } as const;
export type Role = keyof typeof ROLE;

/** The role of a number; undefined for one that the specification does not know. */
export const roleOf = (number: number): Role | undefined =>
  (Object.keys(ROLE) as Role[]).find((role) => ROLE[role] === number);

/** `protocolStatus` of END_REQUEST (5.5). */
export const STATUS = { REQUEST_COMPLETE: 0, CANT_MPX_CONN: 1, OVERLOADED: 2, UNKNOWN_ROLE: 3 } as const;

/** The names in FCGI_GET_VALUES and its result (4.1). */
export const VALUE = {
  MAX_CONNS: "FCGI_MAX_CONNS",
  MAX_REQS: "FCGI_MAX_REQS",
  MPXS_CONNS: "FCGI_MPXS_CONNS",
} as const;

const VERSION = 1;
const KEEP_CONN = 1;
const HEAD = 8;
const ALIGNMENT = 8;
/** The largest content that needs no padding. Some peers add content and padding in 16 bits (F2). */
const MOST_CONTENT = 65_528;

/**
 * Of a stream record: a piece of the stream, wherever records were cut; empty at its end only. Of any other known
 * record: its content, all of it. Of an unknown one: nothing, its content was skipped.
 */
export interface RecordPiece {
  readonly type: number;
  /** 0 for management records. */
  readonly id: number;
  readonly content: Buffer;
}

const STREAMS: ReadonlySet<number> = new Set([TYPE.PARAMS, TYPE.STDIN, TYPE.STDOUT, TYPE.STDERR, TYPE.DATA]);
const KNOWN: ReadonlySet<number> = new Set(Object.values(TYPE));
const NOTHING = Buffer.alloc(0);

/** Cuts bytes into records. Keeps at most one head, and one record that is not of a stream. */
export class RecordReader {
  readonly #violation: ErrorName;
  #input: Buffer = NOTHING;
  #at = 0;
  readonly #head = Buffer.alloc(HEAD);
  #headSize = 0;
  #type = 0;
  #id = 0;
  #content = 0;
  #padding = 0;
  /** Parts of a record that is given whole. */
  #parts: Buffer[] = [];

  /** `violation` is the error of a peer that does not speak FastCGI 1.0. */
  constructor(violation: ErrorName) {
    this.#violation = violation;
  }

  /** True between records: an end of the connection here cuts nothing. */
  get between(): boolean {
    return this.#headSize === 0 && this.#at === this.#input.length;
  }

  feed(chunk: Buffer): void {
    const all = this.#at === this.#input.length;
    this.#input = all ? chunk : Buffer.concat([this.#input.subarray(this.#at), chunk]);
    this.#at = 0;
  }

  /** The next piece; undefined when more bytes are needed. Throws the violation, and is of no use afterwards. */
  next(): RecordPiece | undefined {
    while (this.#at < this.#input.length) {
      const piece = this.#step();
      if (piece) return piece;
    }
    return undefined;
  }

  #step(): RecordPiece | undefined {
    if (this.#headSize < HEAD) return this.#readHead();
    if (this.#content > 0) return this.#readContent();
    const skipped = Math.min(this.#padding, this.#input.length - this.#at);
    this.#at += skipped;
    this.#padding -= skipped;
    this.#finishRecord();
    return undefined;
  }

  /** The next bytes, `most` of them or as many as there are. */
  #take(most: number): Buffer {
    const taken = this.#input.subarray(this.#at, this.#at + most);
    this.#at += taken.length;
    return taken;
  }

  #readHead(): RecordPiece | undefined {
    // The usual case: all of it is here, and is not copied.
    if (this.#headSize === 0 && this.#input.length - this.#at >= HEAD) {
      this.#at += HEAD;
      return this.#beginRecord(this.#input, this.#at - HEAD);
    }
    const bytes = this.#take(HEAD - this.#headSize);
    this.#head.set(bytes, this.#headSize);
    this.#headSize += bytes.length;
    this.#checkVersion(this.#head[0]);
    return this.#headSize < HEAD ? undefined : this.#beginRecord(this.#head, 0);
  }

  #checkVersion(version: number | undefined): void {
    if (version === VERSION) return;
    const why = `the peer sent a FastCGI record of version ${version}, not 1`;
    throw new SallyportError(this.#violation, why);
  }

  #beginRecord(head: Buffer, at: number): RecordPiece | undefined {
    this.#checkVersion(head[at]);
    this.#headSize = HEAD;
    this.#type = head[at + 1] as number;
    this.#id = head.readUInt16BE(at + 2);
    this.#content = head.readUInt16BE(at + 4);
    this.#padding = head[at + 6] as number;
    this.#finishRecord();
    return this.#content === 0 ? this.#piece(NOTHING) : undefined;
  }

  #readContent(): RecordPiece | undefined {
    const bytes = this.#take(this.#content);
    this.#content -= bytes.length;
    const [type, last] = [this.#type, this.#content === 0];
    this.#finishRecord();
    if (STREAMS.has(type)) return this.#piece(bytes);
    if (KNOWN.has(type)) this.#parts.push(bytes);
    return last ? this.#whole() : undefined;
  }

  #whole(): RecordPiece {
    const content = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
    this.#parts = [];
    return this.#piece(content);
  }

  #finishRecord(): void {
    if (this.#headSize === HEAD && this.#content === 0 && this.#padding === 0) this.#headSize = 0;
  }

  #piece(content: Buffer): RecordPiece {
    return { type: this.#type, id: this.#id, content };
  }
}

// Writing.

const paddingOf = (length: number): number => (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;

function writeHead(bytes: Buffer, at: number, type: number, id: number, length: number): void {
  bytes[at] = VERSION;
  bytes[at + 1] = type;
  bytes.writeUInt16BE(id, at + 2);
  bytes.writeUInt16BE(length, at + 4);
  bytes[at + 6] = paddingOf(length);
  bytes[at + 7] = 0;
}

/** One record; `content` of 65,528 bytes at the most. */
function record(
  type: number,
  id: number,
  content: Uint8Array,
  memory: (size: number) => Buffer = Buffer.allocUnsafe,
): Buffer {
  const bytes = memory(HEAD + content.length + paddingOf(content.length));
  writeHead(bytes, 0, type, id, content.length);
  bytes.set(content, HEAD);
  // The padding must not show what was in this memory before.
  bytes.fill(0, HEAD + content.length);
  return bytes;
}

/** A part of a stream in one record, in memory that can be given back: 65,528 bytes at the most. */
export const streamPiece = (type: number, id: number, data: Uint8Array): Buffer =>
  record(type, id, data, pieceOf);

/** `data` as a part of a stream, in one or more records; none for no data: an empty record would be the end (F4). */
export function streamPart(type: number, id: number, data: Uint8Array): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < data.length; at += MOST_CONTENT)
    parts.push(record(type, id, data.subarray(at, at + MOST_CONTENT)));
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
}

/** The end of a stream. */
export const streamEnd = (type: number, id: number): Buffer => record(type, id, NOTHING);

// The same as latin-1 text. Small records that every request needs are joined as one text and leave in one write: every
// call into a buffer costs more than its bytes.

const PADDING = Array.from({ length: ALIGNMENT }, (_, length) => "\0".repeat(length));

const headText = (type: number, id: number, length: number): string =>
  String.fromCharCode(VERSION, type, id >> 8, id & 0xff, length >> 8, length & 0xff, paddingOf(length), 0);

const recordText = (type: number, id: number, content: string): string =>
  headText(type, id, content.length) + content + PADDING[paddingOf(content.length)];

/** A complete stream. */
export function wholeStreamText(type: number, id: number, data: string): string {
  let text = "";
  for (let at = 0; at < data.length; at += MOST_CONTENT)
    text += recordText(type, id, data.slice(at, at + MOST_CONTENT));
  return text + headText(type, id, 0);
}

/** A complete stream, as bytes. */
export const wholeStream = (type: number, id: number, data: Uint8Array): Buffer =>
  Buffer.concat([streamPart(type, id, data), streamEnd(type, id)]);

export interface Begin {
  /** May be a number of no known role. */
  readonly role: number;
  /** The connection stays open after the request. */
  readonly keep: boolean;
}

export const beginText = (id: number, role: Role, keep: boolean): string =>
  recordText(TYPE.BEGIN_REQUEST, id, String.fromCharCode(0, ROLE[role], keep ? KEEP_CONN : 0, 0, 0, 0, 0, 0));

export const beginRequest = (id: number, role: Role, keep: boolean): Buffer =>
  Buffer.from(beginText(id, role, keep), "latin1");

/** undefined when the content is too short. */
export function readBegin(content: Buffer): Begin | undefined {
  if (content.length < 3) return undefined;
  return { role: content.readUInt16BE(0), keep: ((content[2] as number) & KEEP_CONN) !== 0 };
}

export const abortRequest = (id: number): Buffer => record(TYPE.ABORT_REQUEST, id, NOTHING);

export interface End {
  /** The exit code that a CGI program would have had. */
  readonly appStatus: number;
  readonly protocolStatus: number;
}

export function endText(id: number, appStatus: number, protocolStatus: number): string {
  const [a, b, c, d] = [
    appStatus >>> 24,
    (appStatus >> 16) & 0xff,
    (appStatus >> 8) & 0xff,
    appStatus & 0xff,
  ];
  return recordText(TYPE.END_REQUEST, id, String.fromCharCode(a, b, c, d, protocolStatus, 0, 0, 0));
}

export const endRequest = (id: number, appStatus: number, protocolStatus: number): Buffer =>
  Buffer.from(endText(id, appStatus, protocolStatus), "latin1");

/** undefined when the content is too short. */
export function readEnd(content: Buffer): End | undefined {
  if (content.length < 5) return undefined;
  return { appStatus: content.readUInt32BE(0), protocolStatus: content[4] as number };
}

/** The head of a record that is invalid: there is no such version. It is whole, because HAProxy waits for the rest of a part of one. */
export const NO_VERSION: Buffer = Buffer.alloc(8);

/** The answer to a management record of an unknown type (4.2). */
export const unknownType = (type: number): Buffer =>
  record(TYPE.UNKNOWN_TYPE, 0, Buffer.from([type, 0, 0, 0, 0, 0, 0, 0]));

/** GET_VALUES or its result; `pairs` of 65,528 bytes at the most. */
export const managementRecord = (type: number, pairs: Uint8Array): Buffer => record(type, 0, pairs);
