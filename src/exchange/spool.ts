// A request body set aside until it is complete, so that its length can be told: in memory while small, else in a file.
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WholeBody } from "./body.ts";
import { disk } from "./disk.ts";
import { SallyportError } from "./errors.ts";
import type { RequestBody } from "./exchange.ts";
import type { Headers } from "./headers.ts";

export interface SpoolOptions {
  /** Octets that may be held in memory before a file is made. */
  readonly memory?: number;
  /** Octets that are accepted at all; more is BODY_TOO_LARGE. */
  readonly limit: number;
  /** Where files are made, each in a directory of its own that only this user may enter. Default: the system's. */
  readonly directory?: string;
}

export interface Spooled {
  readonly length: number;
  /** The octets, when they fitted into memory. */
  readonly whole: Uint8Array | undefined;
  /** The path of the file that holds them otherwise, until `dispose`. */
  readonly file: string | undefined;
  readonly trailers: Headers;
  /** A reader from the start. */
  body(): RequestBody;
  /** Frees file and memory. May be called twice. Never rejects. */
  dispose(): Promise<void>;
}

/** How much is read from a file at once. */
const PIECE = 65_536;

/**
 * Reads `body` to its end. Rejects with the body's own error (CLIENT_LEFT, BODY_INCOMPLETE, ...), BODY_TOO_LARGE, QUEUE_FULL
 * where temporary files have no room left, or INTERNAL when the file cannot be written; nothing is left behind then.
 */
export async function spool(body: RequestBody, options: SpoolOptions): Promise<Spooled> {
  refuseOver(options.limit, body.length ?? 0);
  if (body.whole) return new MemorySpool(body.whole, body.trailers);
  const store = new Store(options);
  try {
    for (let chunk = await body.read(); chunk; chunk = await body.read()) await store.add(chunk);
    return await store.finish(body.trailers);
  } catch (error) {
    body.discard();
    await store.dispose();
    throw SallyportError.from(error);
  }
}

function refuseOver(limit: number, length: number): void {
  if (length > limit)
    throw new SallyportError(
      "BODY_TOO_LARGE",
      `the request body is larger than the ${limit} octets accepted`,
    );
}

/** Collects octets: exactly `memory` of them at the most, then a file. */
class Store {
  readonly #options: SpoolOptions;
  readonly #memory: Buffer;
  #held = 0;
  #length = 0;
  #file: TemporaryFile | undefined;

  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#memory = Buffer.allocUnsafe(options.memory ?? 65_536);
  }

  async add(chunk: Uint8Array): Promise<void> {
    this.#length += chunk.length;
    refuseOver(this.#options.limit, this.#length);
    if (this.#held + chunk.length <= this.#memory.length) return this.#hold(chunk);
    this.#file ??= await TemporaryFile.make(this.#options.directory ?? tmpdir());
    await this.#flush(this.#file);
    if (chunk.length <= this.#memory.length) this.#hold(chunk);
    else await this.#file.append(chunk);
  }

  async finish(trailers: Headers): Promise<Spooled> {
    if (!this.#file) return new MemorySpool(this.#memory.subarray(0, this.#held), trailers);
    await this.#flush(this.#file);
    return new FileSpool(this.#file, this.#length, trailers);
  }

  async dispose(): Promise<void> {
    await this.#file?.remove();
  }

  #hold(chunk: Uint8Array): void {
    this.#memory.set(chunk, this.#held);
    this.#held += chunk.length;
  }

  async #flush(file: TemporaryFile): Promise<void> {
    await file.append(this.#memory.subarray(0, this.#held));
    this.#held = 0;
  }
}

class TemporaryFile {
  readonly path: string;
  readonly handle: FileHandle;
  readonly #directory: string;
  #removed = false;
  /** Octets of the disk that are ours. */
  #taken = 0;

  private constructor(directory: string, path: string, handle: FileHandle) {
    this.#directory = directory;
    this.path = path;
    this.handle = handle;
  }

  static async make(parent: string): Promise<TemporaryFile> {
    const directory = await mkdtemp(join(parent, "sallyport-"));
    const path = join(directory, "body");
    try {
      return new TemporaryFile(directory, path, await open(path, "wx+", 0o600));
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  async append(octets: Uint8Array): Promise<void> {
    if (!disk.take(octets.length)) throw noRoom();
    this.#taken += octets.length;
    for (let done = 0; done < octets.length; ) {
      const { bytesWritten } = await this.handle.write(octets, done);
      done += bytesWritten;
    }
  }

  async remove(): Promise<void> {
    if (this.#removed) return;
    this.#removed = true;
    disk.give(this.#taken);
    // The file is in the system's temporary directory: what cannot be removed there is not worth a failed request.
    await this.handle.close().catch(() => {});
    await rm(this.#directory, { recursive: true, force: true }).catch(() => {});
  }
}

const noRoom = (): SallyportError =>
  new SallyportError(
    "QUEUE_FULL",
    `temporary files hold ${disk.taken} of ${disk.limit} octets already (limits.temporary), no room for another request body`,
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
  readonly #file: TemporaryFile;

  constructor(file: TemporaryFile, length: number, trailers: Headers) {
    this.#file = file;
    this.length = length;
    this.trailers = trailers;
  }

  get file(): string {
    return this.#file.path;
  }

  body(): RequestBody {
    return new FileBody(this.#file.handle, this.length, this.trailers);
  }

  dispose(): Promise<void> {
    return this.#file.remove();
  }
}

/** A body in a file that its spool keeps open. */
class FileBody implements RequestBody {
  readonly length: number;
  readonly whole: undefined;
  readonly trailers: Headers;
  readonly #handle: FileHandle;
  #at = 0;

  constructor(handle: FileHandle, length: number, trailers: Headers) {
    this.#handle = handle;
    this.length = length;
    this.trailers = trailers;
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#at >= this.length) return undefined;
    const piece = Buffer.allocUnsafe(Math.min(PIECE, this.length - this.#at));
    const { bytesRead } = await this.#handle.read(piece, 0, piece.length, this.#at).catch(unreadable);
    if (bytesRead === 0) throw new SallyportError("INTERNAL", "a spooled request body lost its end");
    this.#at += bytesRead;
    return piece.subarray(0, bytesRead);
  }

  discard(): void {
    this.#at = this.length;
  }
}

function unreadable(cause: unknown): never {
  throw new SallyportError("INTERNAL", "a spooled request body cannot be read", { cause });
}
