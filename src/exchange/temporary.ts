// A temporary file: what is written to it is there as a whole, or the write fails with the file's place in the message.
// A disk that fills up takes a part of a block and says so in no other way than by its count.
import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "./errors.ts";

/** There is no room on the disk, for this user, or in a file of this size. */
const FULL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

export class TemporaryFile {
  readonly path: string;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  /** A file in `directory` that others can open by its path until it is removed. Rejects with DISK_FULL or INTERNAL. */
  static async named(directory: string): Promise<TemporaryFile> {
    const path = join(directory, `sallyport-${randomUUID()}`);
    try {
      return new TemporaryFile(path, await open(path, "wx+", 0o600));
    } catch (error) {
      throw failure(error, path, "made");
    }
  }

  /** A file that only its handle leads to: it goes with that, however we end. */
  static async unnamed(directory: string): Promise<TemporaryFile> {
    const file = await TemporaryFile.named(directory);
    try {
      await unlink(file.path);
    } catch (error) {
      await file.close();
      throw failure(error, file.path, "unlinked");
    }
    return file;
  }

  /** Writes all of `bytes` at `position`. Rejects with DISK_FULL or INTERNAL. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) done += await this.#some(bytes, done, position + done);
  }

  /** Up to `size` bytes from `position` on, and at least one. Rejects with INTERNAL, also at the end of the file. */
  async read(position: number, size: number): Promise<Uint8Array> {
    const piece = Buffer.allocUnsafe(size);
    const { bytesRead } = await this.#handle.read(piece, 0, size, position).catch((error: unknown) => {
      throw failure(error, this.path, "read");
    });
    if (bytesRead > 0) return piece.subarray(0, bytesRead);
    throw failure(new Error(`it ends at ${position}, before what was written to it`), this.path, "read");
  }

  /** Gives the room on the disk back; what comes next begins at 0 again. */
  async empty(): Promise<void> {
    await this.#handle.truncate(0).catch((error: unknown) => {
      throw failure(error, this.path, "emptied");
    });
  }

  /** Never rejects: what cannot be closed is not worth a failed request. */
  async close(): Promise<void> {
    await this.#handle.close().catch(() => {});
  }

  /** Closes it, and removes its name. Never rejects. */
  async remove(): Promise<void> {
    await this.close();
    await unlink(this.path).catch(() => {});
  }

  async #some(bytes: Uint8Array, from: number, position: number): Promise<number> {
    try {
      const { bytesWritten } = await this.#handle.write(bytes, from, bytes.length - from, position);
      if (bytesWritten > 0) return bytesWritten;
    } catch (error) {
      throw failure(error, this.path, "written");
    }
    throw failure(new Error("the system took no byte and gave no reason"), this.path, "written");
  }
}

function failure(cause: unknown, path: string, verb: string): SallyportError {
  const { message, code = "" } = cause as NodeJS.ErrnoException;
  const name = FULL.has(code) ? "DISK_FULL" : "INTERNAL";
  return new SallyportError(name, `the temporary file ${path} could not be ${verb}: ${message}`, { cause });
}
