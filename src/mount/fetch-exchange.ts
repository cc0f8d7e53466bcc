// One Request of the Fetch standard, answered with a Response, which has no informational responses and no trailers.
// Tested by test/mount/fetch.test.ts.
import {
  bytesOf,
  errorHead,
  errorText,
  type RequestBody,
  type RequestHead,
  type ResponseBody,
  type ResponseHead,
  SallyportError,
} from "../exchange/index.ts";
import { MountedExchange, outgoingFields } from "./mounted-exchange.ts";
import type { MountSettings } from "./options.ts";

/** Bytes that wait in the Response's stream before the application is held back. */
const HIGH_WATER = 65_536;
/** Statuses whose Response must not be given a body (Fetch, 2.2.3). */
const NULL_BODY: ReadonlySet<number> = new Set([204, 205, 304]);
/** The host sees it, the client has gone. The number is nginx's. */
const CLIENT_CLOSED = 499;

export class FetchExchange extends MountedExchange {
  readonly response: Promise<Response>;
  readonly #resolve: (response: Response) => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(request: RequestHead, body: RequestBody, settings: MountSettings) {
    super(request, settings.prefix ?? "", body, settings);
    let resolve: (response: Response) => void = () => {};
    this.response = new Promise((settle) => {
      resolve = settle;
    });
    this.#resolve = resolve;
    this.whenClosed(() => resolve(new Response(null, { status: CLIENT_CLOSED })));
  }

  /** The host reports that the client is gone. */
  abort(): void {
    this.lost(clientLeft());
    this.#controller?.error(
      publicError("AbortError", "ERR_STREAM_PREMATURE_CLOSE", "The client closed the connection."),
    );
  }

  protected sendWhole(head: ResponseHead, body: ResponseBody, bodyless: boolean): void {
    const bytes = bytesOf(body) as Uint8Array<ArrayBuffer>;
    const empty = bodyless || NULL_BODY.has(head.status);
    this.#resolve(responseOf(head, empty ? null : bytes, bytes.length, empty));
  }

  protected sendHead(head: ResponseHead, length: number, bodyless: boolean): void {
    const empty = bodyless || NULL_BODY.has(head.status);
    this.#resolve(responseOf(head, empty ? null : this.#stream(), length, empty));
  }

  protected give(chunk: Uint8Array): boolean {
    if (!this.#controller) return true;
    this.#controller.enqueue(chunk);
    return (this.#controller.desiredSize ?? 0) > 0;
  }

  protected sendEnd(): void {
    this.#controller?.close();
  }

  protected sendCut(error: SallyportError): void {
    if (this.#controller) this.#controller.error(publicError("SallyportError", error.code, error.text));
    else this.#resolve(errorResponse(error));
  }

  #stream(): ReadableStream<Uint8Array> {
    const source = {
      start: (controller: ReadableStreamDefaultController<Uint8Array>) => {
        this.#controller = controller;
      },
      pull: () => this.drained(),
      cancel: () => this.lost(clientLeft()),
    };
    return new ReadableStream(source, { highWaterMark: HIGH_WATER, size: ({ length }) => length });
  }
}

const clientLeft = (): SallyportError =>
  new SallyportError("CLIENT_LEFT", "the client closed the connection");

/** The error that a host gets from a stream that was cut. Hosts print it, or even send it: details are for the log only. */
function publicError(name: string, code: string, message: string): Error {
  return Object.assign(new Error(message), { name, code, stack: `${name}: ${message} (${code})` });
}

/** The response to a client when there is no other. */
export function errorResponse(error: SallyportError): Response {
  const status = error.status === 0 ? 500 : error.status;
  return responseOf({ ...errorHead(error), status }, Buffer.from(errorText(error)), -1, false);
}

type BodyGiven = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null;

function responseOf(head: ResponseHead, body: BodyGiven, length: number, bodyless: boolean): Response {
  const headers = new Headers();
  const fields = outgoingFields(head, length, bodyless);
  for (let i = 0; i < fields.length; i += 2) headers.append(fields[i] as string, fields[i + 1] as string);
  return new Response(body, { status: head.status, statusText: head.reason, headers });
}
