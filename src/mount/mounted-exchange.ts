// The listener's half of a request that another server has received: which fields leave, and how long a client may read
// nothing. The host frames the messages and limits the connections (RFC 9110, 7.6.1, 8.6).
// Tested by test/mount/node-response.test.ts.
import {
  type Headers,
  HOP_BY_HOP,
  type RequestBody,
  type RequestHead,
  type ResponseHead,
  SallyportError,
} from "../exchange/index.ts";
import { CheckedExchange } from "../http/checked-exchange.ts";
import { announcedLength } from "../http/content-length.ts";
import type { MountSettings } from "./options.ts";
import { logMountRefusal } from "./refusals.ts";
import { type Progress, StallWatch } from "./stall-watch.ts";

export abstract class MountedExchange extends CheckedExchange {
  readonly body: RequestBody;
  readonly #sendTimeout: number;
  readonly #stalls: StallWatch;

  constructor(request: RequestHead, mount: string, body: RequestBody, { log, sendTimeout }: MountSettings) {
    super(request, log);
    this.body = body;
    this.mount = mount;
    this.#sendTimeout = sendTimeout;
    this.#stalls = new StallWatch(
      sendTimeout,
      () => this.progress(),
      () => this.#stalled(),
    );
    this.whenClosed(({ complete }) => {
      if (complete && this.waits) this.#stalls.start();
      else this.sent();
    });
  }

  /** How far the response has come; undefined while it does not wait for its client. */
  protected abstract progress(): Progress | undefined;
  /** Whether something of a complete response is still to be sent, and the host tells when it is: by `sent`. */
  protected abstract readonly waits: boolean;
  /** Ends the connection, or the stream, of a complete response that the client does not take. */
  protected abstract abandon(): void;

  /** Writes a piece to the host; false when the host's buffer is full. */
  protected abstract give(chunk: Uint8Array): boolean;

  override drained(): void {
    if (!this.closed) this.#stalls.stop();
    super.drained();
  }

  /** Nothing waits for the client any more. */
  protected sent(): void {
    this.#stalls.stop();
  }

  protected sendChunk(chunk: Uint8Array): boolean {
    if (this.give(chunk)) return true;
    this.#stalls.start();
    return false;
  }

  #stalled(): void {
    const waited = `the client took nothing for ${this.#sendTimeout / 1000} s`;
    const error = new SallyportError("CLIENT_STALLED", waited);
    if (!this.closed) return this.fail(error);
    logMountRefusal(this.log, error);
    this.abandon();
  }
}

/** The fields that leave: without hop-by-hop fields, which the host sets, and with the actual length. */
export function outgoingFields(head: ResponseHead, length: number, bodyless: boolean): Headers {
  const { headers } = head;
  const fields: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (name !== "content-length" && !HOP_BY_HOP.has(name))
      fields.push(headers[i] as string, headers[i + 1] as string);
  }
  const contentLength = bodyless ? announcedLength(head) : length;
  if (contentLength >= 0) fields.push("Content-Length", String(contentLength));
  return fields;
}
