// A temporary file. A write succeeds as a whole, or fails with the file's path in the message: a disk that fills up writes a
// part of a block, and says so only by the count.
import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "./errors.ts";

/** No room on the disk, for this user, or in a file of this size. */
const FULL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

export class TemporaryFile {
  readonly path: string;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  /**
   * A file in `directory` that this user, and `group`, can open by its path until it is removed. Rejects with DISK_FULL or
   * INTERNAL.
   */
  static async named(directory: string, group?: number): Promise<TemporaryFile> {
    const path = join(directory, `sallyport-${randomUUID()}`);
    try {
      const file = new TemporaryFile(path, await open(path, "wx+", 0o600));
      if (group !== undefined) await file.#showTo(group);
      return file;
    } catch (error) {
      throw failure(error, path, "made");
    }
  }

  /** A file without a name: it vanishes with its handle, however this process ends. */
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

  /** Reads into `piece` from `position` on, and at least one byte. Rejects with INTERNAL, also at the end of the file. */
  async read(position: number, piece: Buffer): Promise<Buffer> {
    const { bytesRead } = await this.#handle
      .read(piece, 0, piece.length, position)
      .catch((error: unknown) => {
        throw failure(error, this.path, "read");
      });
    if (bytesRead > 0) return piece.subarray(0, bytesRead);
    throw failure(new Error(`it ends at ${position}, before all that was written to it`), this.path, "read");
  }

  /** Frees its room on the disk; the next write begins at 0. */
  async empty(): Promise<void> {
    await this.#handle.truncate(0).catch((error: unknown) => {
      throw failure(error, this.path, "emptied");
    });
  }

  /** Never rejects: a file that cannot be closed must not fail a request. */
  async close(): Promise<void> {
    await this.#handle.close().catch(() => {});
  }

  /** Closes it, and removes its name. Never rejects. */
  async remove(): Promise<void> {
    await this.close();
    await unlink(this.path).catch(() => {});
  }

  /** Not by the mode of open(2): the umask may take it away. What cannot be shown is not left behind. */
  async #showTo(group: number): Promise<void> {
    try {
      await this.#handle.chown(process.getuid?.() ?? 0, group);
      await this.#handle.chmod(0o640);
    } catch (error) {
      await this.remove();
      throw error;
    }
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
