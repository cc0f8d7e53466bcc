// The listener's half of every exchange: the order of calls as a table, the framing rules that no protocol may break
// (RFC 9110, 6.4.1, 8.6, 9.3.2), and the outcome, reported exactly once. A listener only says how bytes leave.
import { SallyportError } from "./errors.ts";
import { EventStream } from "./events.ts";
import type { Exchange, Outcome, RequestBody, RequestFacts, RequestHead, ResponseHead } from "./exchange.ts";
import { type Headers, header } from "./headers.ts";
import { bytesOf, HeadLines, type ResponseBody, sizeOf } from "./lines.ts";
import type { Log } from "./log.ts";
import type { Trace } from "./trace.ts";

type Phase = "waiting" | "started" | "switched" | "closed";
type Call = "inform" | "respond" | "start" | "write" | "end" | "accept";

/** Which calls each phase accepts. In `closed` every call is ignored: the client may leave at any moment. */
const ACCEPTS: Readonly<Record<Phase, Readonly<Record<Call, boolean>>>> = {
  waiting: { inform: true, respond: true, start: true, write: false, end: false, accept: true },
  started: { inform: false, respond: false, start: false, write: true, end: true, accept: false },
  switched: { inform: false, respond: false, start: false, write: false, end: false, accept: false },
  closed: { inform: false, respond: false, start: false, write: false, end: false, accept: false },
};

const EMPTY = new Uint8Array(0);

/** Whether a response to this method with this status has a body at all. */
export const hasBody = (method: string, status: number): boolean =>
  method !== "HEAD" && status >= 200 && status !== 204 && status !== 304;

/** Its response must have no content, which HTTP/1.1 says by a length of 0 (RFC 9110, 15.3.6). */
const RESET_CONTENT = 205;

const emptied = ({ status, reason, headers }: ResponseHead): ResponseHead => {
  const fields = headers.filter(
    (_, i) => (headers[i - (i % 2)] as string).toLowerCase() !== "content-length",
  );
  return { status, reason, headers: [...fields, "Content-Length", "0"] };
};

export abstract class BaseExchange implements Exchange {
  request: RequestHead;
  abstract readonly body: RequestBody;
  mount = "";
  /** Only declared: an exchange without facts has no field for them. */
  declare facts?: RequestFacts | undefined;
  declare trace?: Trace | undefined;
  protected readonly log: Log;
  #phase: Phase = "waiting";
  #status = 0;
  #bytes = 0;
  /** Bytes of the announced Content-Length still to be written; -1 without one; 0 for a response without a body. */
  #remaining = -1;
  /** What is written is no part of the response: it has no body, or has had all of it. */
  #dropsBody = false;
  /** Set while the response is an event stream. */
  #events: EventStream | undefined;
  #leaving = false;
  #failure: SallyportError | undefined;
  #outcome: Outcome | undefined;
  #closers: ((outcome: Outcome) => void)[] | undefined;
  #drainers: (() => void)[] | undefined;

  constructor(request: RequestHead, log: Log) {
    this.request = request;
    this.log = log;
  }

  /** A protocol that carries trailers overrides it, and drops in `sendEnd` what this client would not take. */
  get takesTrailers(): boolean {
    return false;
  }

  get closed(): boolean {
    return this.#phase === "closed";
  }

  get started(): boolean {
    return this.#status !== 0;
  }

  // How bytes leave: the listener's own part.

  /** Whether `head` may be sent. If not, the exchange has failed, or is answered by somebody else. */
  protected admits(_head: ResponseHead): boolean {
    return true;
  }

  /** Sends head and whole body, of `size` bytes: none where the response has no body. `bodyless`: no framing either. */
  protected abstract sendWhole(head: ResponseHead, body: ResponseBody, bodyless: boolean, size: number): void;
  /** Sends the head alone. `length` is the announced Content-Length, -1 when unknown. */
  protected abstract sendHead(head: ResponseHead, length: number, bodyless: boolean): void;
  /** Sends a piece; false when it had to wait in a buffer. */
  protected abstract sendChunk(chunk: Uint8Array): boolean;
  /** Ends the body where the framing has an end. */
  protected abstract sendEnd(trailers: Headers | undefined): void;
  /** Makes it visible to the client that the response is not complete. */
  protected abstract sendCut(error: SallyportError): void;
  protected sendInform(_head: ResponseHead): void {}

  // The answering side's calls.

  inform(head: ResponseHead): void {
    if (this.#accepts("inform")) this.sendInform(head);
  }

  respond(head: ResponseHead, body: ResponseBody): void {
    if (!this.#accepts("respond") || !this.admits(head)) return;
    const bodyless = !hasBody(this.request.method, head.status);
    // Lines are made together with a body of the announced length.
    const announced = head instanceof HeadLines ? -1 : announcedLength(head.headers);
    const size = sizeOf(body);
    if (head.status === RESET_CONTENT && !bodyless && size > 0) {
      this.start(head);
      return this.end();
    }
    if (!bodyless && announced >= 0 && announced !== size) {
      // The streaming rules decide: a body that is too long is cut to size, a short one is cut off visibly.
      this.start(head);
      this.write(bytesOf(body));
      return this.end();
    }
    this.#status = head.status;
    this.#bytes = bodyless ? 0 : size;
    this.sendWhole(this.trace?.head(head) ?? head, bodyless ? EMPTY : body, bodyless, this.#bytes);
    this.#close();
  }

  start(head: ResponseHead): void {
    if (!this.#accepts("start") || !this.admits(head)) return;
    this.#phase = "started";
    this.#status = head.status;
    const bodyless = !hasBody(this.request.method, head.status);
    const resets = head.status === RESET_CONTENT && !bodyless;
    const sent = resets ? emptied(head) : head;
    this.#dropsBody = bodyless || resets;
    this.#remaining = this.#dropsBody ? 0 : announcedLength(head.headers);
    if (!this.#dropsBody) this.#events = EventStream.of(head);
    this.sendHead(this.trace?.head(sent) ?? sent, this.#remaining, bodyless);
  }

  write(chunk: Uint8Array): boolean {
    if (!this.#accepts("write") || this.#dropsBody || chunk.length === 0) return true;
    const piece =
      this.#remaining >= 0 && chunk.length > this.#remaining ? chunk.subarray(0, this.#remaining) : chunk;
    if (piece.length < chunk.length) this.#tooLong(chunk.length - piece.length);
    if (piece.length === 0) return true;
    if (this.#remaining >= 0) this.#remaining -= piece.length;
    this.#bytes += piece.length;
    const ready = this.sendChunk(piece);
    this.#events?.passed(piece);
    if (this.#leaving) this.#endEvents();
    return ready;
  }

  end(trailers?: Headers): void {
    if (!this.#accepts("end")) return;
    if (this.#remaining > 0) {
      const missing = `the response ended ${this.#remaining} bytes before its Content-Length`;
      return this.fail(new SallyportError("APP_SHORT_BODY", missing));
    }
    this.sendEnd(trailers);
    this.#close();
  }

  fail(error: SallyportError): void {
    if (this.#phase === "closed") return;
    this.#logError(error);
    if (this.#phase === "waiting" && error.status !== 0) return this.#answer(error);
    this.sendCut(error);
    this.#close(error);
  }

  #answer(error: SallyportError): void {
    this.#failure = error;
    this.respond(errorHead(error), errorText(error));
  }

  leave(): void {
    this.#leaving = true;
    if (this.#events) this.#endEvents();
  }

  /** The answering side sees a cut response; the client sees a normal end, and reconnects. */
  #endEvents(): void {
    if (this.#phase !== "started" || !this.#events) return;
    const error = new SallyportError("STOPPING", "the event stream ended because the server leaves");
    if (!this.#events.legible || this.#remaining >= 0) return this.fail(error);
    if (!this.#events.betweenEvents) return;
    this.sendEnd(undefined);
    this.#close(error);
  }

  whenDrained(callback: () => void): void {
    if (this.#phase === "closed") return;
    if (this.#drainers) this.#drainers.push(callback);
    else this.#drainers = [callback];
  }

  whenClosed(callback: (outcome: Outcome) => void): void {
    if (this.#outcome) callback(this.#outcome);
    // Not push: it makes room for 17, and WebSockets wait here for a long time.
    else if (this.#closers) this.#closers = this.#closers.concat(callback);
    else this.#closers = [callback];
  }

  // The listener's calls.

  /** The buffered bytes have left. */
  drained(): void {
    const callbacks = this.#drainers;
    if (!callbacks) return;
    this.#drainers = undefined;
    for (const callback of callbacks) callback();
  }

  /** The client is gone, or broke the protocol: nothing more can be sent. */
  lost(error: SallyportError): void {
    this.#close(error);
  }

  /** `status` has accepted a WebSocket: from now on only `fail` has an effect. Throws when answered already. */
  protected switched(status: number): void {
    if (!this.#accepts("accept")) return;
    this.#phase = "switched";
    this.#status = status;
  }

  /** The WebSocket is over: after a closing handshake, or because of `error`. */
  concluded(error: SallyportError | undefined, bytes: number): void {
    this.#bytes = bytes;
    this.#close(error);
  }

  #accepts(call: Call): boolean {
    if (ACCEPTS[this.#phase][call]) return true;
    if (this.#phase === "closed") return false;
    throw new TypeError(`exchange.${call}() after the exchange was ${this.#phase}`);
  }

  /** Said once: an application may write on for ever. */
  #tooLong(extra: number): void {
    this.#dropsBody = true;
    this.log.warn("the application sent more body than its Content-Length; the rest was dropped", {
      target: this.request.target,
      extra,
    });
  }

  #logError(error: SallyportError): void {
    const fields = {
      code: error.code,
      fault: error.fault,
      target: this.request.target,
      detail: error.detail,
    };
    if (error.fault !== "client") this.log.error(error.message, fields);
    else if (this.log.clientFault) this.log.clientFault(error.message, fields);
    else this.log.info(error.message, fields);
  }

  /** Only the first end counts: a listener may find out while it sends that the client is gone. */
  #close(error?: SallyportError): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#drainers = undefined;
    const outcome = { complete: error === undefined, error, status: this.#status, bytes: this.#bytes };
    this.#outcome = this.#failure ? { ...outcome, failure: this.#failure } : outcome;
    this.trace?.ended(this.#outcome);
    const callbacks = this.#closers;
    if (!callbacks) return;
    this.#closers = undefined;
    for (const callback of callbacks) callback(this.#outcome);
  }
}

/** The Content-Length in a response head, -1 when there is none or it is not a number. */
function announcedLength(headers: Headers): number {
  const value = header(headers, "content-length");
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : -1;
}

/** The head of an error response: plain text, never cached, Retry-After where waiting helps. */
export function errorHead(error: SallyportError): ResponseHead {
  const headers = ["Content-Type", "text/plain; charset=utf-8", "Cache-Control", "no-store"];
  if (error.status === 503) headers.push("Retry-After", String(error.retryAfter ?? 1));
  return { status: error.status, reason: "", headers };
}

/** The body of an error response: status, the catalogue's sentence, the code. */
export const errorText = (error: SallyportError): string => `${error.status} ${error.text}\n${error.code}\n`;
