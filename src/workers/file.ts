// A file as the body of a response (the ASGI extension http.response.pathsend). Read as the client takes it, so that only
// one piece of it is in memory.
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { pieceOf } from "../exchange/blocks.ts";
import { type Exchange, SallyportError } from "../exchange/index.ts";
import { PIECE } from "./link.ts";

/** Otherwise opening a named pipe would wait for its writer. */
const READ_NONBLOCKING = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * Writes the file at `path`, whose bytes need not be UTF-8, into a response that has begun. `opened` is called once the file may be deleted.
 * Rejects with APP_RAISED if it cannot be read.
 */
export async function writeFile(exchange: Exchange, path: Buffer, opened: () => void): Promise<void> {
  const file = await open(path, READ_NONBLOCKING).catch((error: unknown) => unreadable(path, error));
  try {
    const stats = await file.stat();
    if (!stats.isFile()) unreadable(path, new Error("it is not a file"));
    opened();
    const size = await copy(file, exchange).catch((error: unknown) => unreadable(path, error));
    if (size < stats.size && !exchange.closed)
      unreadable(
        path,
        new Error(`it ends at ${size} now, and was of ${stats.size} bytes when it was opened`),
      );
  } finally {
    await file.close();
  }
}

/** Resolves with the number of bytes, at the end of the file or once the exchange is closed. */
async function copy(file: FileHandle, exchange: Exchange): Promise<number> {
  let size = 0;
  let goOn = (): void => {};
  exchange.whenClosed(() => goOn());
  while (!exchange.closed) {
    const piece = pieceOf(PIECE);
    const { bytesRead } = await file.read(piece, 0, PIECE);
    if (bytesRead === 0) break;
    size += bytesRead;
    if (exchange.write(piece.subarray(0, bytesRead)) || exchange.closed) continue;
    await new Promise<void>((resolve) => {
      goOn = resolve;
      exchange.whenDrained(resolve);
    });
  }
  return size;
}

function unreadable(path: Buffer, cause: unknown): never {
  const reason = cause instanceof Error ? cause.message : String(cause);
  throw new SallyportError("APP_RAISED", `the file ${path} that was to be sent cannot be read: ${reason}`, {
    cause,
  });
}
