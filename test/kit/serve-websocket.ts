// A listener that accepts WebSockets, and clients of two kinds: the library's, and raw ones that say exactly what a test
// wants said.
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import type { TestContext } from "node:test";
import { type ClientOptions, WebSocket } from "ws";
import type {
  Acceptance,
  Exchange,
  Handler,
  Listener,
  Log,
  LogFields,
  Outcome,
  WebSocketReceiver,
  WebSocketSession,
} from "../../src/exchange/index.ts";
import { type HttpLimits, httpListener } from "../../src/protocols/http1/index.ts";
import type { WebSocketLimits } from "../../src/websocket/index.ts";
import { RawConnection } from "./raw-connection.ts";

export interface Serving {
  readonly port: number;
  readonly url: string;
  readonly server: Server;
  readonly listener: Listener;
  readonly lines: string[];
  /** A raw connection; `handshake` is sent at once where there is one. */
  raw(handshake?: string, options?: { allowHalfOpen?: boolean }): Promise<RawClient>;
  /** An open WebSocket of the library's. */
  open(options?: ClientOptions & { readonly subprotocols?: string[] }): Promise<WebSocket>;
}

interface Limits {
  readonly http?: Partial<HttpLimits>;
  readonly websocket?: Partial<WebSocketLimits>;
}

/** Serves `handler` until the test ends. */
export async function serve(t: TestContext, handler: Handler, limits: Limits = {}): Promise<Serving> {
  const lines: string[] = [];
  const { http = {}, websocket = {} } = limits;
  const listener = httpListener({ handler, limits: http, websocket, log: keeping(lines) });
  const server = createServer({ allowHalfOpen: true }, (socket) => listener.accept(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const ends: (() => void)[] = [];
  t.after(async () => {
    for (const end of ends) end();
    server.close();
    await listener.close(0);
  });
  const { port } = server.address() as AddressInfo;
  const url = `ws://127.0.0.1:${port}/`;
  return {
    port,
    url,
    server,
    listener,
    lines,
    async raw(handshake = "", options = {}) {
      const client = await RawClient.to(port, options);
      ends.push(() => client.socket.destroy());
      return client.send(handshake);
    },
    async open({ subprotocols = [], ...options } = {}) {
      const client = new WebSocket(url, subprotocols, options);
      client.on("error", () => {});
      ends.push(() => client.terminate());
      await once(client, "open");
      return client;
    },
  };
}

function keeping(lines: string[]): Log {
  const keep = (message: string, fields?: LogFields): void => {
    lines.push(fields?.code === undefined ? message : `${fields.code}: ${message}`);
  };
  return { debug: keep, info: keep, warn: keep, error: keep };
}

export const PLAIN: Acceptance = { subprotocol: undefined, headers: [] };

/** Sends every message back, as fast as the client takes them. */
export const echo: Handler = (exchange) => {
  const { handshake } = exchange;
  if (!handshake) return exchange.respond({ status: 404, reason: "", headers: [] }, "no WebSocket here\n");
  const session = handshake.accept(PLAIN, {
    message(data, binary) {
      if (session.send(data, binary)) return;
      session.pause();
      session.whenDrained(() => session.resume());
    },
    closed() {},
  });
};

/** Everything that an application sees of one WebSocket. */
export class Seen implements WebSocketReceiver {
  readonly messages: string[] = [];
  readonly sizes: number[] = [];
  /** Code and reason, once it has closed. */
  end: string | undefined;
  outcome: Outcome | undefined;
  #session: WebSocketSession | undefined;
  #waiting: (() => void)[] = [];

  get session(): WebSocketSession {
    if (!this.#session) throw new Error("nothing was accepted yet");
    return this.#session;
  }

  accept(exchange: Exchange, choice: Acceptance = PLAIN): this {
    exchange.whenClosed((outcome) => this.#now(() => (this.outcome = outcome)));
    this.#session = exchange.handshake?.accept(choice, this);
    return this;
  }

  message(data: Uint8Array, binary: boolean): void {
    this.#now(() => {
      this.sizes.push(data.length);
      this.messages.push(binary ? `<${Buffer.from(data).toString("hex")}>` : Buffer.from(data).toString());
    });
  }

  closed(code: number, reason: string): void {
    if (this.end !== undefined) throw new Error("closed() was called twice");
    this.#now(() => (this.end = reason === "" ? String(code) : `${code} ${reason}`));
  }

  async until(condition: (seen: this) => boolean): Promise<this> {
    while (!condition(this)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this;
  }

  /** Resolves when both the application and the exchange know that it is over. */
  over(): Promise<this> {
    return this.until(({ end, outcome }) => end !== undefined && outcome !== undefined);
  }

  #now(change: () => void): void {
    change();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

/** Accepts every handshake; each WebSocket is given out by `next`. */
export function accepting(choice: Acceptance = PLAIN): { handler: Handler; next(): Promise<Seen> } {
  const ready: Seen[] = [];
  const waiting: ((seen: Seen) => void)[] = [];
  return {
    handler(exchange) {
      const seen = new Seen().accept(exchange, choice);
      const resolve = waiting.shift();
      if (resolve) resolve(seen);
      else ready.push(seen);
    },
    next() {
      const seen = ready.shift();
      return seen ? Promise.resolve(seen) : new Promise((resolve) => waiting.push(resolve));
    },
  };
}

/** A handshake of raw text. Fields in `change` replace those of the same name; undefined leaves one out. */
export function handshake(change: Record<string, string | undefined> = {}, line = "GET / HTTP/1.1"): string {
  const fields: Record<string, string | undefined> = {
    Host: "localhost",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    ...change,
  };
  const lines = Object.entries(fields).filter(([, value]) => value !== undefined);
  return `${line}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
}

export interface FrameParts {
  fin?: boolean;
  rsv?: number;
  mask?: boolean;
  /** The length to announce instead of the payload's own, and the number of bytes to write it with. */
  length?: bigint;
  width?: 0 | 2 | 8;
}

/** One frame from a client (RFC 6455, 5.2), as latin-1 text. */
export function frame(opcode: number, payload: string | Uint8Array = "", parts: FrameParts = {}): string {
  const { fin = true, rsv = 0, mask = true } = parts;
  const data = Buffer.from(payload as string);
  const length = parts.length ?? BigInt(data.length);
  const width = parts.width ?? (length < 126n ? 0 : length < 65_536n ? 2 : 8);
  const header = Buffer.alloc(2 + width);
  header[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  header[1] = (mask ? 0x80 : 0) | (width === 0 ? Number(length) : width === 2 ? 126 : 127);
  if (width === 2) header.writeUInt16BE(Number(length), 2);
  if (width === 8) header.writeBigUInt64BE(length, 2);
  if (!mask) return Buffer.concat([header, data]).toString("latin1");
  const key = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
  for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) ^ (key[i % 4] as number);
  return Buffer.concat([header, key, data]).toString("latin1");
}

export const closeFrame = (code: number, reason: string | Uint8Array = ""): string =>
  frame(0x8, Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason as string)]));

/** A frame from the server. */
export interface Frame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly rsv: number;
  readonly payload: Buffer;
}

/** The frames in `bytes`, as far as they are whole. */
export function framesOf(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; bytes.length >= at + 2; ) {
    const [first, short] = [bytes[at] as number, bytes[at + 1] as number];
    const width = short === 127 ? 8 : short === 126 ? 2 : 0;
    if (bytes.length < at + 2 + width) break;
    const length =
      width === 0 ? short : bytes.readUIntBE(at + 2 + (width === 8 ? 2 : 0), width === 8 ? 6 : 2);
    const start = at + 2 + width;
    if (bytes.length < start + length) break;
    const payload = bytes.subarray(start, start + length);
    frames.push({ opcode: first & 0xf, fin: (first & 0x80) !== 0, rsv: (first >> 4) & 7, payload });
    at = start + length;
  }
  return frames;
}

/** `text "hello"`, `close 1002`: a frame in a few words. */
export function told({ opcode, payload, fin, rsv }: Frame): string {
  const name =
    { 0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong" }[opcode] ?? opcode;
  const marks = `${fin ? "" : " unfinished"}${rsv === 0 ? "" : ` rsv ${rsv}`}`;
  if (opcode === 8)
    return `close ${payload.length < 2 ? "" : payload.readUInt16BE(0)}${payload.subarray(2)}`.trim();
  return `${name}${marks} ${JSON.stringify(payload.toString("latin1"))}`;
}

/** A client that sends raw frames. */
export class RawClient extends RawConnection {
  #bytes = Buffer.alloc(0);

  static to(port: number, options: { allowHalfOpen?: boolean }): Promise<RawClient> {
    return RawClient.open({ port, host: "127.0.0.1", ...options });
  }

  /** Everything so far, as latin-1. */
  get received(): string {
    return this.#bytes.toString("latin1");
  }

  /** The frames behind the response head, in a few words each. */
  get frames(): string[] {
    const end = this.#bytes.indexOf("\r\n\r\n");
    return end < 0 ? [] : framesOf(this.#bytes.subarray(end + 4)).map(told);
  }

  /** Resolves when `condition` holds; rejects when the connection ends before. */
  override until(condition: (client: this) => boolean): Promise<this> {
    return super.until((client) => {
      const holds = condition(client);
      if (!holds && this.state !== "") throw new Error(`the connection is over (${this.state})`);
      return holds;
    });
  }

  /** All frames up to the end of the connection. */
  async allFrames(): Promise<string[]> {
    await this.until(({ state }) => state !== "");
    return this.frames;
  }

  /** The status and everything up to the end of the connection. */
  async all(): Promise<string> {
    await this.until(({ state }) => state !== "");
    return this.received;
  }

  async accepted(): Promise<this> {
    await this.until(({ received, state }) => received.includes("\r\n\r\n") || state !== "");
    return this;
  }

  protected override read(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
  }
}
