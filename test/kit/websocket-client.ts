// A WebSocket client whose messages are awaited one by one.
import type { IncomingMessage } from "node:http";
import { type ClientOptions, WebSocket } from "ws";

/** A binary message is given as bytes. */
export type Message = string | Buffer;

export class WebSocketClient {
  readonly socket: WebSocket;
  /** How it was closed. */
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #messages: Message[] = [];
  readonly #waiting: ((message: Message) => void)[] = [];

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data: Buffer, binary: boolean) => this.#take(binary ? data : data.toString()));
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  /** Resolves when the handshake is done; `url` may be that of the site: http: becomes ws:. */
  static open(url: string, protocols: string[] = [], options: ClientOptions = {}): Promise<WebSocketClient> {
    const socket = new WebSocket(url.replace(/^http/, "ws"), protocols, options);
    const client = new WebSocketClient(socket);
    return new Promise((resolve, reject) => {
      socket.once("open", () => resolve(client)).once("error", reject);
    });
  }

  /** The answer to a handshake that is refused. */
  static refused(url: string, protocols: string[] = []): Promise<{ head: IncomingMessage; body: string }> {
    const socket = new WebSocket(url.replace(/^http/, "ws"), protocols);
    return new Promise((resolve, reject) => {
      socket.once("open", () => reject(new Error("it was accepted"))).once("error", reject);
      socket.once("unexpected-response", async (_request, head) => {
        resolve({ head, body: (await head.setEncoding("utf8").toArray()).join("") });
      });
    });
  }

  say(message: Message | object): this {
    const plain = typeof message === "string" || Buffer.isBuffer(message);
    this.socket.send(plain ? message : JSON.stringify(message));
    return this;
  }

  /** The next message; rejects when the socket is closed first. */
  hear(): Promise<Message> {
    const message = this.#messages.shift();
    if (message !== undefined) return Promise.resolve(message);
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve);
      this.closed.then(({ code, reason }) =>
        reject(new Error(`closed (${code} ${reason}) before a message`)),
      );
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: each test knows its shape
  async hearJson(): Promise<any> {
    return JSON.parse(String(await this.hear()));
  }

  close(code?: number, reason?: string): Promise<{ code: number; reason: string }> {
    this.socket.close(code, reason);
    return this.closed;
  }

  #take(message: Message): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(message);
    else this.#messages.push(message);
  }
}
