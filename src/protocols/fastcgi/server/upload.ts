// The streams of a request that do not leave in one write with its parameters: STDIN, and DATA of a Filter
// (specification, 6.2, 6.4), sent as fast as the application takes them.
// Tested by test/protocols/fastcgi/server/gateway.test.ts.
import { open } from "node:fs/promises";
import { type RequestBody, SallyportError } from "../../../exchange/index.ts";
import { streamEnd, streamPart, TYPE } from "../codec.ts";
import type { ApplicationConnection } from "./connection.ts";
import type { DataFile, RequestOptions } from "./request.ts";

const PIECE = 65_528;

/** Calls of the request that it belongs to. */
export interface UploadHooks {
  isStopped(): boolean;
  /** True: the next piece has to come from the client. False: the application is given the next, or has taken one. */
  waitsForClient(waits: boolean): void;
}

export class Upload {
  readonly #connection: ApplicationConnection;
  readonly #id: number;
  readonly #hooks: UploadHooks;
  /** The connection takes more at once. */
  #room: boolean;

  constructor(connection: ApplicationConnection, id: number, room: boolean, hooks: UploadHooks) {
    this.#connection = connection;
    this.#id = id;
    this.#room = room;
    this.#hooks = hooks;
  }

  /** Resolves when all has been sent, or the upload was stopped. Rejects as the body does, and when the file cannot be read. */
  async run({ body, file }: RequestOptions): Promise<void> {
    if (body instanceof Uint8Array) await this.#send(TYPE.STDIN, body);
    else await this.#sendBody(body());
    this.#end(TYPE.STDIN);
    if (!file || this.#hooks.isStopped()) return;
    await this.#sendFile(file);
    this.#end(TYPE.DATA);
  }

  async #send(type: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#hooks.isStopped(); at += PIECE) {
      if (!this.#room) await this.#drained();
      if (this.#hooks.isStopped()) return;
      this.#room = this.#connection.send(streamPart(type, this.#id, bytes.subarray(at, at + PIECE)));
    }
  }

  async #drained(): Promise<void> {
    await this.#connection.drained();
    this.#hooks.waitsForClient(false);
  }

  #end(type: number): void {
    if (!this.#hooks.isStopped()) this.#connection.send(streamEnd(type, this.#id));
  }

  async #sendBody(body: RequestBody): Promise<void> {
    while (!this.#hooks.isStopped()) {
      this.#hooks.waitsForClient(true);
      const piece = await body.read();
      this.#hooks.waitsForClient(false);
      if (!piece) return;
      await this.#send(TYPE.STDIN, piece);
    }
    body.discard();
  }

  async #sendFile({ path, length }: DataFile): Promise<void> {
    const file = await open(path);
    try {
      const piece = Buffer.allocUnsafe(PIECE);
      for (let left = length; left > 0 && !this.#hooks.isStopped(); ) {
        const { bytesRead } = await file.read(piece, 0, Math.min(PIECE, left), null);
        if (bytesRead === 0) throw shortened(path, length, length - left);
        left -= bytesRead;
        await this.#send(TYPE.DATA, piece.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  }
}

/** The length was announced in FCGI_DATA_LENGTH: an earlier end would look like the whole file. */
const shortened = (path: Uint8Array, length: number, end: number): SallyportError =>
  new SallyportError(
    "INTERNAL",
    `the file ${Buffer.from(path).toString()} has ${end} bytes now, and had ${length} when the request began`,
  );
