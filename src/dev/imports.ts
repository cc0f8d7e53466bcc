// Files that applications in other processes import from outside of their directories: the processes append the names to a
// file (python/sallyport/imports.py), which is read as it grows.
import {
  closeSync,
  type FSWatcher,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  watch,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { guard } from "../processes/index.ts";

/** Bytes of the file that are read; there is a limit of names for each process, and any number of processes. */
const LARGEST = 16 * 1024 * 1024;

export class Imports {
  readonly #directory: string;
  /** The file that processes append to. */
  readonly path: string;
  #watcher: FSWatcher | undefined;
  /** Bytes that were read, and the beginning of a name whose end has not been written yet. */
  #read = 0;
  #partial = "";
  readonly #decoder = new TextDecoder();

  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), "sallyport-"));
    guard.enlistDirectory(this.#directory);
    this.path = join(this.#directory, "imports");
    writeFileSync(this.path, "");
  }

  /** Calls `found` with absolute paths, some of them several times. */
  follow(found: (files: readonly string[]) => void): void {
    this.#watcher = watch(this.path, () => {
      const files = this.#changed();
      if (files.length > 0) found(files);
    });
    this.#watcher.on("error", () => {}); // its changes are missed; all else goes on
  }

  close(): void {
    this.#watcher?.close();
    rmSync(this.#directory, { recursive: true, force: true });
    guard.releaseDirectory(this.#directory);
  }

  /** Nothing where the file cannot be read: what cleans temporary directories may remove it while a session lasts for days. */
  #changed(): string[] {
    try {
      return this.#next();
    } catch {
      return [];
    }
  }

  #next(): string[] {
    const lines = (this.#partial + this.#more()).split("\n");
    this.#partial = lines.pop() ?? "";
    return lines;
  }

  #more(): string {
    const bytes = Buffer.alloc(65_536);
    const file = openSync(this.path, "r");
    let text = "";
    try {
      for (let size = 1; size > 0 && this.#read < LARGEST; this.#read += size) {
        size = readSync(file, bytes, 0, bytes.length, this.#read);
        text += this.#decoder.decode(bytes.subarray(0, size), { stream: true });
      }
    } finally {
      closeSync(file);
    }
    return text;
  }
}
