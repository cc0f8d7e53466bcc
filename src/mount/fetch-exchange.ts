// One Request of the Fetch standard, answered with a Response, which has no informational responses and no trailers.
// Tested by test/mount/fetch.test.ts.
import {
  bytesOf,
  errorHead,
  errorText,
  hasBody,
  type RequestBody,
  type RequestHead,
  type ResponseBody,
  type ResponseHead,
  SallyportError,
} from "../exchange/index.ts";
import { bytesLeft } from "../sockets/bytes-left.ts";
import type { FetchConnection } from "./fetch-head.ts";
import { MountedExchange, outgoingFields } from "./mounted-exchange.ts";
import type { MountSettings } from "./options.ts";
import type { Progress } from "./stall-watch.ts";

/** Bytes that wait in the Response's stream before the application is held back. */
const HIGH_WATER = 65_536;
/** Statuses whose Response must not be given a body (Fetch, 2.2.3). */
const NULL_BODY: ReadonlySet<number> = new Set([204, 205, 304]);
/** The host sees it, the client has gone. The number is nginx's. */
const CLIENT_CLOSED = 499;

export class FetchExchange extends MountedExchange {
  readonly response: Promise<Response>;
  readonly #resolve: (response: Response) => void;
  readonly #connection: FetchConnection | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Bytes of body that went into the stream. */
  #given = 0;
  /** What is left in the stream after its end, or in a Response that was given whole, is the host's alone. */
  protected readonly waits = false;

  /** `connection`: the client's, where the host tells which it is. */
  constructor(
    request: RequestHead,
    body: RequestBody,
    settings: MountSettings,
    connection: FetchConnection | undefined,
  ) {
    super(request, settings.prefix ?? "", body, settings);
    this.#connection = connection;
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
    this.#given += chunk.length;
    this.#controller.enqueue(chunk);
    return (this.#controller.desiredSize ?? 0) > 0;
  }

  protected progress(): Progress {
    const taken = this.#given - HIGH_WATER + (this.#controller?.desiredSize ?? 0);
    const { socket, httpVersion = "" } = this.#connection ?? {};
    const left = socket ? bytesLeft(socket) : 0;
    return httpVersion.startsWith("1.") ? { own: taken + left, shared: 0 } : { own: taken, shared: left };
  }

  protected abandon(): void {}

  protected sendEnd(): void {
    this.#controller?.close();
  }

  protected sendCut(error: SallyportError): void {
    if (this.#controller) this.#controller.error(publicError("SallyportError", error.code, error.text));
    else this.#resolve(errorResponse(error, this.request.method));
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
export function errorResponse(error: SallyportError, method: string): Response {
  const status = error.status === 0 ? 500 : error.status;
  const body = hasBody(method, status) ? Buffer.from(errorText(error)) : null;
  return responseOf({ ...errorHead(error), status }, body, -1, false);
}

type BodyGiven = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null;

function responseOf(head: ResponseHead, body: BodyGiven, length: number, bodyless: boolean): Response {
  const headers = new Headers();
  const fields = outgoingFields(head, length, bodyless);
  for (let i = 0; i < fields.length; i += 2) headers.append(fields[i] as string, fields[i + 1] as string);
  return new Response(body, { status: head.status, statusText: head.reason, headers });
}
