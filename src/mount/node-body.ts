// A request body from node's stream: nothing is read from it before the gateway reads, and no faster.
// Tested by test/mount/node.test.ts.
import {
  type Headers,
  isFieldValue,
  isToken,
  NO_BODY,
  type RequestBody,
  SallyportError,
  WholeBody,
} from "../exchange/index.ts";
import { bodyTooLarge } from "../http/refusals.ts";
import { NOT_IN_TRAILERS } from "../http/trailers.ts";
import { MountedBody } from "./mounted-body.ts";
import type { NodeRequest } from "./node-head.ts";

/** Where body parsers leave what they have read. */
interface ParsedRequest {
  readonly body?: unknown;
  readonly rawBody?: unknown;
}

/** Throws BODY_TOO_LARGE, or CONFIG_INVALID when the host has already read the body. */
export function nodeBody(req: NodeRequest, length: number | undefined, most: number): RequestBody {
  if (length === 0) return NO_BODY;
  if ((length ?? 0) > most) throw bodyTooLarge(most);
  const bytes = parsedBytes(req, length);
  if (bytes) return new WholeBody(bytes);
  if (req.readableDidRead || req.readableEncoding !== null) throw alreadyRead();
  return new NodeBody(req, length, most);
}

/** The body as it was sent, where a parser has kept it: an inflated one no longer matches the headers, and has another length. */
function parsedBytes(req: NodeRequest & ParsedRequest, length: number | undefined): Uint8Array | undefined {
  if (!req.readableDidRead) return undefined;
  const plain = req.headers["content-encoding"] === undefined;
  const { rawBody, body } = req;
  if (rawBody instanceof Uint8Array) return plain || rawBody.length === length ? rawBody : undefined;
  return plain && body instanceof Uint8Array ? body : undefined;
}

class NodeBody extends MountedBody {
  readonly #req: NodeRequest;

  constructor(req: NodeRequest, length: number | undefined, most: number) {
    super(length, most);
    this.#req = req;
  }

  wanted(): void {
    const req = this.#req;
    if (req.destroyed) return this.#clientLeft();
    req.on("data", (chunk: Buffer) => this.take(chunk));
    req.on("end", () => this.#ended());
    req.on("error", () => this.#clientLeft());
    req.on("close", () => this.#clientLeft());
  }

  pause(): void {
    this.#req.pause();
  }

  resume(): void {
    this.#req.resume();
  }

  /** For node, this has begun to read. */
  protected override hold(): void {
    this.#req.read(0);
  }

  protected drain(): void {
    this.#req.resume();
  }

  #ended(): void {
    // In HTTP/2, a stream that was reset emits "end" like any other.
    if (this.#req.aborted) this.#clientLeft();
    else this.finish(trailersOf(this.#req.rawTrailers));
  }

  #clientLeft(): void {
    this.fail(new SallyportError("CLIENT_LEFT", "the client left in the middle of its request"));
  }
}

/** The fields that a trailer may have; the others are dropped (RFC 9110, 6.5.1). */
function trailersOf(raw: readonly string[]): Headers {
  const trailers: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const [name, value] = [raw[i] as string, raw[i + 1] as string];
    if (isToken(name) && isFieldValue(value) && !NOT_IN_TRAILERS.has(name.toLowerCase()))
      trailers.push(name, value);
  }
  return trailers;
}

const alreadyRead = (): SallyportError =>
  new SallyportError(
    "CONFIG_INVALID",
    "a body parser of the host has read the request body before the mounted gateway could: mount the gateway before " +
      "body parsers, or have the parser keep the bytes in req.rawBody, as they were sent",
  );
