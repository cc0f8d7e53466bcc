// The suite's client: sends the bytes of requests on a plain connection, so that no HTTP client corrects them.
// Tested by test/testing/run.test.ts.
import { connect, type Socket } from "node:net";
import type { Headers } from "../exchange/index.ts";
import { type Answer, AnswerReader } from "./answer.ts";
import { toBytes } from "./bytes.ts";
import { type AppScript, CONFORMANCE_FIELD, type Request } from "./case.ts";

/** A request as bytes, in parts that may be sent one by one. */
export interface RequestBytes {
  readonly method: string;
  readonly head: Buffer;
  readonly body: readonly Buffer[];
}

export function requestBytes(request: Request, app: AppScript, authority: string): RequestBytes {
  const method = request.method ?? (request.body === undefined ? "GET" : "POST");
  const head = [`${method} ${request.target ?? "/"} HTTP/${request.version ?? "1.1"}`];
  const given = request.headers ?? [];
  if (!has(given, "host")) head.push(`Host: ${authority}`);
  head.push(`${CONFORMANCE_FIELD}: ${Buffer.from(JSON.stringify(app)).toString("base64url")}`);
  for (let i = 0; i < given.length; i += 2) head.push(`${given[i]}: ${given[i + 1]}`);
  const body = toBytes(request.body);
  if (request.chunk !== undefined) head.push("Transfer-Encoding: chunked");
  else if (request.body !== undefined) head.push(`Content-Length: ${body.length}`);
  return {
    method,
    head: Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"),
    body: request.chunk === undefined ? halves(body) : chunks(body, request.chunk, request.trailers ?? []),
  };
}

const has = (headers: Headers, name: string): boolean =>
  headers.some((field, i) => i % 2 === 0 && field.toLowerCase() === name);

function halves(body: Buffer): Buffer[] {
  const middle = Math.ceil(body.length / 2);
  return [body.subarray(0, middle), body.subarray(middle)].filter(({ length }) => length > 0);
}

/** One part for each chunk, and one for the end of the body. */
function chunks(body: Buffer, size: number, trailers: Headers): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const piece = body.subarray(at, at + size);
    parts.push(Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]));
  }
  const fields = trailers.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join("");
  return [...parts, Buffer.from(`0\r\n${fields}\r\n`, "latin1")];
}

export class Client {
  readonly reader: AnswerReader;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.reader = new AnswerReader(socket);
  }

  /** Rejects when there is no server. */
  static open({ hostname, port }: URL): Promise<Client> {
    return new Promise((resolve, reject) => {
      const host = hostname.replace(/^\[|\]$/g, "");
      const socket = connect({ host, port: Number(port || 80), allowHalfOpen: true, noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new Client(socket));
      });
    });
  }

  send(...parts: readonly Buffer[]): void {
    for (const part of parts) this.#socket.write(part);
  }

  /** Ends this side; answers are still read. */
  endSide(): void {
    this.#socket.end();
  }

  hangUp(): void {
    this.#socket.destroy();
  }

  /** Resolves once `holds` is true of the answer; with false when the connection has ended first. */
  async until(answer: Answer, holds: (answer: Answer) => boolean): Promise<boolean> {
    while (!holds(answer)) {
      if (this.reader.ended) return holds(answer);
      await this.reader.change();
      // The same bytes have woken the reader, which updates the answer first.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return true;
  }
}
