// A request body from a Request's stream, read no faster than the gateway reads it.
// Tested by test/mount/fetch.test.ts.
import { type Headers, header, NO_BODY, type RequestBody, SallyportError } from "../exchange/index.ts";
import { readContentLength } from "../http/content-length.ts";
import { bodyTooLarge } from "../http/refusals.ts";
import { MountedBody } from "./mounted-body.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;
type Piece = Awaited<ReturnType<Reader["read"]>>;

/** Throws BODY_TOO_LARGE, or CONFIG_INVALID when the host has already read the body. */
export function fetchBody(request: Request, headers: Headers, most: number): RequestBody {
  if (request.bodyUsed) throw alreadyRead();
  if (!request.body) return NO_BODY;
  const length = announced(headers);
  if (length === 0) return NO_BODY;
  if ((length ?? 0) > most) throw bodyTooLarge(most);
  return new FetchBody(request.body, length, most);
}

function announced(headers: Headers): number | undefined {
  const value = header(headers, "content-length");
  if (value === undefined || header(headers, "transfer-encoding") !== undefined) return undefined;
  const length = readContentLength(value);
  if (length < 0) throw new SallyportError("BAD_REQUEST", "a malformed Content-Length");
  return length;
}

/** Reads ahead only as much as a pushed body holds. */
class FetchBody extends MountedBody {
  readonly #stream: ReadableStream<Uint8Array>;
  #reader: Reader | undefined;
  #paused = false;
  #pumping = false;
  #ended = false;

  constructor(stream: ReadableStream<Uint8Array>, length: number | undefined, most: number) {
    super(length, most);
    this.#stream = stream;
  }

  wanted(): void {
    this.resume();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (!this.#pumping && !this.#ended) void this.#pump();
  }

  /**
   * Reads the rest and throws it away: in many hosts, cancelling the stream would end the connection before its response. A
   * body that was never begun is left to the host: reading would ask the client for it (100 Continue).
   */
  protected drain(): void {
    if (this.#reader) this.resume();
  }

  /** Until it is paused, or the body has ended. */
  async #pump(): Promise<void> {
    this.#pumping = true;
    try {
      this.#reader ??= this.#stream.getReader();
      while (!this.#paused && !this.#ended) this.#arrived(await this.#reader.read());
    } catch (error) {
      this.#broken(error);
    }
    this.#pumping = false;
  }

  #arrived({ done, value }: Piece): void {
    if (!done) return this.take(bytesOf(value));
    this.#ended = true;
    this.finish();
  }

  #broken(error: unknown): void {
    this.#ended = true;
    const broken = new SallyportError("CLIENT_LEFT", "the request body broke off", { cause: error });
    this.fail(error instanceof SallyportError ? error : broken);
  }
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new SallyportError("CONFIG_INVALID", "the host's request body is not a stream of bytes");
}

const alreadyRead = (): SallyportError =>
  new SallyportError(
    "CONFIG_INVALID",
    "the host has read the request body before the mounted gateway could: hand on a clone of the Request, or mount the " +
      "gateway before whatever reads it",
  );
