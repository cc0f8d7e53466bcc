// Buffers a request body until it is complete, so that its length is known: in memory while small, else in a file.
import { tmpdir } from "node:os";
import { blocks, SMALLEST_BLOCK } from "./blocks.ts";
import { PushedBody, WholeBody } from "./body.ts";
import { disk } from "./disk.ts";
import { SallyportError } from "./errors.ts";
import type { RequestBody } from "./exchange.ts";
import type { Headers } from "./headers.ts";
import { TemporaryFile } from "./temporary.ts";

export interface SpoolOptions {
  /** Bytes kept in memory before a file is made. */
  readonly memory?: number;
  /** Bytes that are accepted; more is BODY_TOO_LARGE. */
  readonly limit: number;
  /** Where files are made, without a name, so that they vanish with this process however it ends. Default: the system's. */
  readonly directory?: string;
  /** Gives the directory for a file that another process opens by its path; only this user may enter it. */
  readonly shared?: (() => Promise<string>) | undefined;
  /** The group of the other process, if it is of another user: it may read that file. */
  readonly group?: number | undefined;
}

export interface Spooled {
  readonly length: number;
  /** The bytes, when they fit into memory. Unless they are the body's own, `blocks.give` may have them in the end. */
  readonly whole: Uint8Array | undefined;
  /** Otherwise, with `shared`, the path of their file, which exists until `dispose`. */
  readonly file: string | undefined;
  readonly trailers: Headers;
  /** A reader from the start. */
  body(): RequestBody;
  /** Frees file and memory. May be called twice. Never rejects. */
  dispose(): Promise<void>;
}

/** Bytes per read from a file. */
const PIECE = 65_536;

/**
 * Reads `body` to its end. Rejects with the body's own error (CLIENT_LEFT, BODY_INCOMPLETE, ...), BODY_TOO_LARGE, QUEUE_FULL
 * where temporary files have no room left, DISK_FULL, or INTERNAL when the file cannot be written; nothing is left behind then.
 */
export async function spool(body: RequestBody, options: SpoolOptions): Promise<Spooled> {
  refuseOver(options.limit, body.length ?? 0);
  if (body.whole) return new MemorySpool(body.whole, body.trailers);
  const store = new Store(options, body.length);
  try {
    for (let chunk = await body.read(); chunk; chunk = await body.read()) {
      await store.add(chunk);
      // A body of another class may have shown it to others, who keep it.
      if (body instanceof PushedBody) blocks.give(chunk);
    }
    return await store.finish(body.trailers);
  } catch (error) {
    body.discard();
    await store.dispose();
    throw SallyportError.from(error);
  }
}

function refuseOver(limit: number, length: number): void {
  if (length > limit)
    throw new SallyportError("BODY_TOO_LARGE", `the request body is larger than the ${limit} bytes accepted`);
}

/** Collects bytes: up to `memory` of them in one block, then in a file. */
class Store {
  readonly #options: SpoolOptions;
  readonly #block: Buffer;
  #buffered = 0;
  #length = 0;
  #file: BodyFile | undefined;

  /** `length`: of the body, if it is known. */
  constructor(options: SpoolOptions, length: number | undefined) {
    const { memory = 65_536 } = options;
    this.#options = options;
    const size = Math.min(memory, length ?? memory);
    this.#block = size < SMALLEST_BLOCK ? Buffer.allocUnsafe(size) : blocks.take(size);
  }

  async add(chunk: Uint8Array): Promise<void> {
    this.#length += chunk.length;
    refuseOver(this.#options.limit, this.#length);
    if (this.#buffered + chunk.length <= this.#block.length) return this.#buffer(chunk);
    this.#file ??= await BodyFile.make(this.#options);
    await this.#flush(this.#file);
    if (chunk.length <= this.#block.length) this.#buffer(chunk);
    else await this.#file.append(chunk);
  }

  async finish(trailers: Headers): Promise<Spooled> {
    if (!this.#file) return new MemorySpool(this.#block.subarray(0, this.#buffered), trailers);
    await this.#flush(this.#file);
    blocks.give(this.#block);
    return new FileSpool(this.#file, this.#length, trailers);
  }

  async dispose(): Promise<void> {
    blocks.give(this.#block);
    await this.#file?.remove();
  }

  #buffer(chunk: Uint8Array): void {
    this.#block.set(chunk, this.#buffered);
    this.#buffered += chunk.length;
  }

  async #flush(file: BodyFile): Promise<void> {
    await file.append(this.#block.subarray(0, this.#buffered));
    this.#buffered = 0;
  }
}

/** The file, counted against the limit of all temporary files. */
class BodyFile {
  readonly content: TemporaryFile;
  /** Where another process finds it. */
  readonly path: string | undefined;
  #size = 0;
  #removed = false;

  private constructor(content: TemporaryFile, path: string | undefined) {
    this.content = content;
    this.path = path;
  }

  static async make({ directory = tmpdir(), shared, group }: SpoolOptions): Promise<BodyFile> {
    if (!shared) return new BodyFile(await TemporaryFile.unnamed(directory), undefined);
    const content = await TemporaryFile.named(await shared(), group);
    return new BodyFile(content, content.path);
  }

  async append(bytes: Uint8Array): Promise<void> {
    if (!disk.take(bytes.length)) throw noRoom();
    const at = this.#size;
    this.#size += bytes.length;
    await this.content.write(bytes, at);
  }

  async remove(): Promise<void> {
    if (this.#removed) return;
    this.#removed = true;
    disk.give(this.#size);
    if (this.path === undefined) await this.content.close();
    else await this.content.remove();
  }
}

const noRoom = (): SallyportError =>
  new SallyportError(
    "QUEUE_FULL",
    `temporary files hold ${disk.taken} of ${disk.limit} bytes already (limits.temporary), no room for another request body`,
  );

class MemorySpool implements Spooled {
  readonly length: number;
  readonly whole: Uint8Array;
  readonly file: undefined;
  readonly trailers: Headers;

  constructor(whole: Uint8Array, trailers: Headers) {
    this.length = whole.length;
    this.whole = whole;
    this.trailers = trailers;
  }

  body(): RequestBody {
    return new WholeBody(this.whole, this.trailers);
  }

  async dispose(): Promise<void> {}
}

class FileSpool implements Spooled {
  readonly length: number;
  readonly whole: undefined;
  readonly trailers: Headers;
  readonly #file: BodyFile;

  constructor(file: BodyFile, length: number, trailers: Headers) {
    this.#file = file;
    this.length = length;
    this.trailers = trailers;
  }

  get file(): string | undefined {
    return this.#file.path;
  }

  body(): RequestBody {
    return new FileBody(this.#file.content, this.length, this.trailers);
  }

  dispose(): Promise<void> {
    return this.#file.remove();
  }
}

/** A body read from the file that its spool keeps open. */
class FileBody implements RequestBody {
  readonly length: number;
  readonly whole: undefined;
  readonly trailers: Headers;
  readonly #file: TemporaryFile;
  #at = 0;

  constructor(file: TemporaryFile, length: number, trailers: Headers) {
    this.#file = file;
    this.length = length;
    this.trailers = trailers;
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#at >= this.length) return undefined;
    const size = Math.min(PIECE, this.length - this.#at);
    const piece = await this.#file.read(this.#at, Buffer.allocUnsafe(size));
    this.#at += piece.length;
    return piece;
  }

  discard(): void {
    this.#at = this.length;
  }
}
