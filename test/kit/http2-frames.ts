// A tiny writer and reader of HTTP/2 frames (RFC 9113, 4), for clients that say exactly what a test wants said: nothing is
// checked, and nothing is answered by itself.
import { RawConnection } from "./raw-connection.ts";

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

const TYPES = [
  "DATA",
  "HEADERS",
  "PRIORITY",
  "RST_STREAM",
  "SETTINGS",
  "PUSH_PROMISE",
  "PING",
  "GOAWAY",
  "WINDOW_UPDATE",
  "CONTINUATION",
] as const;
export type FrameType = (typeof TYPES)[number];

export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;

export const NO_ERROR = 0x0;
export const PROTOCOL_ERROR = 0x1;
export const INTERNAL_ERROR = 0x2;
export const FLOW_CONTROL_ERROR = 0x3;
export const STREAM_CLOSED = 0x5;
export const FRAME_SIZE_ERROR = 0x6;
export const REFUSED_STREAM = 0x7;
export const CANCEL = 0x8;
export const COMPRESSION_ERROR = 0x9;
export const ENHANCE_YOUR_CALM = 0xb;

export interface Frame {
  readonly type: FrameType | undefined;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frame(type: FrameType, flags: number, stream: number, payload: Buffer | string = ""): Buffer {
  const bytes = Buffer.from(payload as string, "latin1");
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = TYPES.indexOf(type);
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A header block without compression: literals without indexing (RFC 7541, 6.2.2), names and values as latin-1. */
export function block(fields: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < fields.length; i += 2)
    parts.push(Buffer.from([0]), text(fields[i] as string), text(fields[i + 1] as string));
  return Buffer.concat(parts);
}

/** A string literal: its length as an integer with a prefix of 7 bits (RFC 7541, 5.1, 5.2). */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}

export const pseudo = (method: string, path: string): string[] => [
  ":method",
  method,
  ":scheme",
  "http",
  ":path",
  path,
  ":authority",
  "a.test",
];

/** HEADERS of a request, ended unless `flags` say otherwise. */
export const headers = (
  stream: number,
  fields: readonly string[] = pseudo("GET", "/"),
  flags = END_HEADERS | END_STREAM,
): Buffer => frame("HEADERS", flags, stream, block(fields));

export const post = (stream: number, ...fields: string[]): Buffer =>
  headers(stream, [...pseudo("POST", "/"), ...fields], END_HEADERS);

export const data = (stream: number, bytes: Buffer | string, flags = 0): Buffer =>
  frame("DATA", flags, stream, bytes);

export const reset = (stream: number, code = CANCEL): Buffer => frame("RST_STREAM", 0, stream, uint32(code));

/** A connection of frames. */
export class FrameClient extends RawConnection {
  readonly frames: Frame[] = [];
  #buffer = Buffer.alloc(0);

  /** `greet`: says the preface and empty settings. */
  static async to(port: number, greet = true): Promise<FrameClient> {
    const client = await FrameClient.open({ port, host: "127.0.0.1", allowHalfOpen: true });
    if (greet) client.send(PREFACE, frame("SETTINGS", 0, 0));
    return client;
  }

  /** The first frame of this type on the stream; undefined when the connection has ended without it. */
  async next(type: FrameType, stream = 0): Promise<Frame | undefined> {
    await this.until(() => this.find(type, stream) !== undefined || this.state !== "");
    return this.find(type, stream);
  }

  find(type: FrameType, stream = 0): Frame | undefined {
    return this.frames.find((one) => one.type === type && one.stream === stream);
  }

  /** What came on a stream, as `TYPE` or `TYPE(code)`; "." ends what has END_STREAM. */
  story(stream: number): string {
    return this.frames
      .filter((one) => one.stream === stream)
      .map(described)
      .join(" ");
  }

  /** The error code of the RST_STREAM that the stream ends with; undefined when the connection ends without one. */
  async resetCode(stream: number): Promise<number | undefined> {
    return (await this.next("RST_STREAM", stream))?.payload.readUInt32BE(0);
  }

  /** The same, or that of the GOAWAY: a newer nghttp2 ends the connection where an older one reset the stream. */
  async endCode(stream: number): Promise<number | undefined> {
    return (await this.resetCode(stream)) ?? this.goawayCode();
  }

  /** The error code of the GOAWAY. */
  async goawayCode(): Promise<number | undefined> {
    return (await this.next("GOAWAY"))?.payload.readUInt32BE(4);
  }

  /** The body so far. */
  body(stream: number): string {
    const pieces = this.frames.filter((one) => one.type === "DATA" && one.stream === stream);
    return Buffer.concat(pieces.map(({ payload }) => payload)).toString("latin1");
  }

  /** Everything up to the end of the connection. */
  async all(): Promise<void> {
    await this.until(() => this.state !== "");
  }

  protected override read(chunk: Buffer): void {
    let buffer = Buffer.concat([this.#buffer, chunk]);
    while (buffer.length >= 9 && buffer.length >= 9 + buffer.readUIntBE(0, 3)) {
      const end = 9 + buffer.readUIntBE(0, 3);
      const [type, flags] = [TYPES[buffer[3] as number], buffer[4] as number];
      this.frames.push({ type, flags, stream: buffer.readUInt32BE(5), payload: buffer.subarray(9, end) });
      buffer = buffer.subarray(end);
    }
    this.#buffer = buffer;
  }
}

function described({ type, flags, payload }: Frame): string {
  const code = type === "RST_STREAM" ? `(${payload.readUInt32BE(0)})` : "";
  const ends = (type === "HEADERS" || type === "DATA") && (flags & END_STREAM) !== 0;
  return `${type}${code}${ends ? "." : ""}`;
}
