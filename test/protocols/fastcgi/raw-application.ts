// A raw FastCGI application for tests of the gateway: it takes requests apart, and says exactly what a test wants said.
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Gateway } from "../../../src/exchange/index.ts";
import { lint } from "../../../src/exchange/lint.ts";
import {
  endRequest,
  managementRecord,
  RecordReader,
  readBegin,
  streamEnd,
  streamPart,
  TYPE,
} from "../../../src/protocols/fastcgi/codec.ts";
import { type FastcgiOptions, fastcgi } from "../../../src/protocols/fastcgi/index.ts";
import { decodePairs, encodePairs } from "../../../src/protocols/fastcgi/pairs.ts";
import { type Recorded, RecordedExchange, type RecordedRequest } from "../../../src/testing/recorded.ts";
import { keepLog, type Line } from "../../kit/keep-log.ts";
import { makeFolder } from "../../kit/make-folder.ts";

/** A path for a socket, in a directory that goes when the test ends. */
export async function socketPath(t: TestContext): Promise<string> {
  const directory = makeFolder(t);
  return join(directory, "app.sock");
}

export interface ApplicationOptions {
  /** What it says of itself; undefined: it closes the connection instead. */
  values?: Record<string, string>;
  path?: string;
}

/** Takes requests one by one: `await application.next()`. */
export class RawApplication {
  readonly address: string;
  readonly sockets: Socket[] = [];
  /** Connections that only asked for values. */
  questions = 0;
  /** It leaves these unanswered. */
  silent = false;
  /** As libfcgi: it answers a question when another one comes behind it. */
  readsBeyond = false;
  readonly #askers = new Set<Socket>();
  readonly #server: Server;
  readonly #values: Record<string, string> | undefined;
  readonly #requests: RawRequest[] = [];
  readonly #carriers = new Set<Socket>();
  #waiting: ((request: RawRequest) => void)[] = [];

  private constructor(path: string, server: Server, values: Record<string, string> | undefined) {
    this.address = `unix:${path}`;
    this.#server = server;
    this.#values = values;
    server.on("connection", (socket) => this.#accept(socket));
  }

  static async start(t: TestContext, { values, path }: ApplicationOptions = {}): Promise<RawApplication> {
    const at = path ?? (await socketPath(t));
    const server = createServer({ allowHalfOpen: true }).listen(at);
    const application = new RawApplication(at, server, values);
    await once(server, "listening");
    t.after(() => application.stop());
    return application;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  /** Connections that carried requests. */
  get connections(): number {
    return this.#carriers.size;
  }

  next(): Promise<RawRequest> {
    const request = this.#requests.shift();
    if (request) return Promise.resolve(request);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #accept(socket: Socket): void {
    this.sockets.push(socket);
    const reader = new RecordReader("BAD_REQUEST");
    const open = new Map<number, RawRequest>();
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.on("data", (chunk: Buffer) => {
      reader.feed(chunk);
      for (let piece = reader.next(); piece; piece = reader.next()) this.#take(socket, open, piece);
    });
  }

  #take(
    socket: Socket,
    open: Map<number, RawRequest>,
    piece: { type: number; id: number; content: Buffer },
  ): void {
    const { type, id, content } = piece;
    if (type === TYPE.GET_VALUES) return this.#tell(socket);
    if (type === TYPE.BEGIN_REQUEST) this.#carriers.add(socket);
    if (type === TYPE.BEGIN_REQUEST) open.set(id, new RawRequest(id, socket, content));
    const request = open.get(id);
    if (!request) return;
    request.take(type, content);
    if (type === TYPE.PARAMS && content.length === 0) this.#give(request);
  }

  #tell(socket: Socket): void {
    const isSecond = this.#askers.has(socket);
    this.#askers.add(socket);
    this.questions = this.#askers.size;
    if (this.silent || (this.readsBeyond && !isSecond)) return;
    this.#answer(socket);
  }

  /** Each of those that have asked, so many times. */
  answerQuestions(times: number): void {
    for (const socket of this.#askers) for (let i = 0; i < times; i++) this.#answer(socket);
  }

  #answer(socket: Socket): void {
    if (!this.#values) return void socket.destroy();
    socket.write(managementRecord(TYPE.GET_VALUES_RESULT, encodePairs(Object.entries(this.#values).flat())));
  }

  #give(request: RawRequest): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(request);
    else this.#requests.push(request);
  }
}

export class RawRequest {
  readonly id: number;
  readonly socket: Socket;
  readonly role: number;
  readonly keep: boolean;
  params: Record<string, string> = {};
  stdin = "";
  data = "";
  stdinEnded = false;
  dataEnded = false;
  aborted = false;
  readonly #params: Buffer[] = [];
  #waiting: (() => void)[] = [];

  constructor(id: number, socket: Socket, begin: Buffer) {
    this.id = id;
    this.socket = socket;
    const { role = 0, keep = false } = readBegin(begin) ?? {};
    this.role = role;
    this.keep = keep;
  }

  take(type: number, content: Buffer): void {
    if (type === TYPE.PARAMS) this.#takeParams(content);
    else if (type === TYPE.STDIN && content.length === 0) this.stdinEnded = true;
    else if (type === TYPE.STDIN) this.stdin += content.toString("latin1");
    else if (type === TYPE.DATA && content.length === 0) this.dataEnded = true;
    else if (type === TYPE.DATA) this.data += content.toString("latin1");
    else if (type === TYPE.ABORT_REQUEST) this.aborted = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  async until(condition: () => boolean): Promise<this> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this;
  }

  stdout(text: string): this {
    this.socket.write(streamPart(TYPE.STDOUT, this.id, Buffer.from(text, "latin1")));
    return this;
  }

  stderr(text: string): this {
    this.socket.write(streamPart(TYPE.STDERR, this.id, Buffer.from(text, "latin1")));
    return this;
  }

  end(appStatus = 0, protocolStatus = 0): void {
    this.socket.write(endRequest(this.id, appStatus, protocolStatus));
    if (!this.keep) this.socket.end();
  }

  /** A whole response. */
  answer(body: string, ...lines: string[]): void {
    const head = ["Content-Type: text/plain", ...lines].map((line) => `${line}\r\n`).join("");
    this.stdout(`${head}\r\n${body}`);
    this.socket.write(streamEnd(TYPE.STDOUT, this.id));
    this.end();
  }

  #takeParams(content: Buffer): void {
    if (content.length > 0) return void this.#params.push(content);
    const pairs = decodePairs(Buffer.concat(this.#params), "BAD_REQUEST");
    for (let i = 0; i < pairs.length; i += 2) this.params[pairs[i] as string] = pairs[i + 1] as string;
  }
}

export interface StartedGateway {
  readonly gateway: Gateway;
  readonly lines: Line[];
  exchange(request?: RecordedRequest): RecordedExchange;
  ask(request?: RecordedRequest): Promise<Recorded>;
  /** Resolves with the first line of the log, past or future, that matches. */
  logged(pattern: RegExp): Promise<Line>;
}

/** A gateway, with the contract checked, until the test ends. */
export async function startGateway(t: TestContext, options: FastcgiOptions): Promise<StartedGateway> {
  const { log, lines, logged } = keepLog();
  const gateway = lint(fastcgi({ ...options, log }));
  t.after(() => gateway.close?.(500));
  await gateway.start?.();
  const exchange = (request: RecordedRequest = {}): RecordedExchange => {
    const asked = new RecordedExchange({ ...request, log });
    gateway.handle(asked);
    return asked;
  };
  return { gateway, lines, exchange, ask: (request) => exchange(request).done, logged };
}
