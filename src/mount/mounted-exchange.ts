// The listener's half of a request that reached us through somebody else's server: what may leave, and for how long a
// client may stand still. The host frames the messages and guards the connections (RFC 9110, 7.6.1, 8.6).
import {
  BaseExchange,
  type Headers,
  HOP_BY_HOP,
  header,
  type RequestHead,
  type ResponseBody,
  type ResponseHead,
  SallyportError,
} from "../exchange/index.ts";
import { headFault } from "../http/response-fault.ts";
import type { MountSettings } from "./options.ts";

export abstract class MountedExchange extends BaseExchange {
  readonly #sendTimeout: number;
  #stallTimer: NodeJS.Timeout | undefined;

  constructor(request: RequestHead, mount: string, { log, sendTimeout }: MountSettings) {
    super(request, log);
    this.mount = mount;
    this.#sendTimeout = sendTimeout;
    this.whenClosed(() => clearTimeout(this.#stallTimer));
  }

  /** Hands a piece to the host; false when the host holds more than it likes. */
  protected abstract give(chunk: Uint8Array): boolean;
  /** The greatest status that the host can send. */
  protected abstract readonly greatestStatus: number;

  override respond(head: ResponseHead, body: ResponseBody): void {
    if (this.#admits(head)) super.respond(head, body);
  }

  override start(head: ResponseHead): void {
    if (this.#admits(head)) super.start(head);
  }

  override drained(): void {
    clearTimeout(this.#stallTimer);
    super.drained();
  }

  protected sendChunk(chunk: Uint8Array): boolean {
    if (this.give(chunk)) return true;
    clearTimeout(this.#stallTimer);
    this.#stallTimer = setTimeout(() => this.#stalled(), this.#sendTimeout).unref();
    return false;
  }

  #stalled(): void {
    const waited = `the client took nothing for ${this.#sendTimeout / 1000} s`;
    this.fail(new SallyportError("CLIENT_STALLED", waited));
  }

  /** Gateways check what applications say; this is the last line, before the host's own exceptions. */
  #admits(head: ResponseHead): boolean {
    if (this.closed) return false;
    const { greatestStatus } = this;
    const fault = head.status > greatestStatus ? `a status above ${greatestStatus}` : headFault(head);
    if (fault === undefined) return true;
    this.fail(new SallyportError("APP_PROTOCOL", `the response cannot be sent: ${fault}`));
    return false;
  }
}

/** The fields that leave: those of the connection are the host's to tell, and the length is the true one. */
export function outgoingFields(
  { status, headers }: ResponseHead,
  length: number,
  bodyless: boolean,
): Headers {
  const fields: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (name !== "content-length" && !HOP_BY_HOP.has(name))
      fields.push(headers[i] as string, headers[i + 1] as string);
  }
  const contentLength = bodyless ? omittedLength(status, headers) : length;
  if (contentLength >= 0) fields.push("Content-Length", String(contentLength));
  return fields;
}

/** What a body that is not sent would measure may still be said (RFC 9110, 8.6); -1 when it is not. */
function omittedLength(status: number, headers: Headers): number {
  const announced = header(headers, "content-length");
  return status !== 204 && announced !== undefined && /^\d{1,15}$/.test(announced) ? Number(announced) : -1;
}
