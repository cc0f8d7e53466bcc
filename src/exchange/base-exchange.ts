// The listener's half of every exchange: the order of calls as a table, the framing rules that no protocol may break
// (RFC 9110, 6.4.1, 8.6, 9.3.2), and the end, told exactly once. A listener only says how bytes leave.
import { SallyportError } from "./errors.ts";
import { EventStream } from "./events.ts";
import type { Exchange, Outcome, RequestBody, RequestFacts, RequestHead, ResponseHead } from "./exchange.ts";
import { type Headers, header } from "./headers.ts";
import { bytesOf, HeadLines, type ResponseBody, sizeOf } from "./lines.ts";
import type { Log } from "./log.ts";

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

export abstract class BaseExchange implements Exchange {
  request: RequestHead;
  abstract readonly body: RequestBody;
  mount = "";
  /** Only declared: an exchange without facts has no field for them. */
  declare facts?: RequestFacts | undefined;
  protected readonly log: Log;
  #phase: Phase = "waiting";
  #status = 0;
  #bytes = 0;
  /** Bytes of body still owed; -1 when the end is told by the framing; body-less responses owe nothing. */
  #owed = -1;
  #bodyless = false;
  /** The response is an event stream. */
  #events: EventStream | undefined;
  #leaves = false;
  #outcome: Outcome | undefined;
  #closers: ((outcome: Outcome) => void)[] | undefined;
  #drainers: (() => void)[] | undefined;

  constructor(request: RequestHead, log: Log) {
    this.request = request;
    this.log = log;
  }

  get closed(): boolean {
    return this.#phase === "closed";
  }

  get started(): boolean {
    return this.#status !== 0;
  }

  // How bytes leave: the listener's own part.

  /** Sends head and whole body. `body` is empty where the response has none. `bodyless`: frame nothing. */
  protected abstract sendWhole(head: ResponseHead, body: ResponseBody, bodyless: boolean): void;
  /** Sends the head alone. `length` is the announced Content-Length, -1 when unknown. */
  protected abstract sendHead(head: ResponseHead, length: number, bodyless: boolean): void;
  /** Sends a piece; false when it had to be held back. */
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
    if (!this.#accepts("respond")) return;
    const bodyless = !hasBody(this.request.method, head.status);
    // Who makes lines gives a body of the length that they announce.
    const announced = head instanceof HeadLines ? -1 : announcedLength(head.headers);
    const size = sizeOf(body);
    if (!bodyless && announced >= 0 && announced !== size) {
      // Let the streaming rules decide: too long is cut to measure, too short is a visible cut.
      this.start(head);
      this.write(bytesOf(body));
      return this.end();
    }
    this.#status = head.status;
    this.#bytes = bodyless ? 0 : size;
    this.sendWhole(head, bodyless ? EMPTY : body, bodyless);
    this.#close(true, undefined);
  }

  start(head: ResponseHead): void {
    if (!this.#accepts("start")) return;
    this.#phase = "started";
    this.#status = head.status;
    this.#bodyless = !hasBody(this.request.method, head.status);
    this.#owed = this.#bodyless ? 0 : announcedLength(head.headers);
    if (!this.#bodyless) this.#events = EventStream.of(head);
    this.sendHead(head, this.#owed, this.#bodyless);
  }

  write(chunk: Uint8Array): boolean {
    if (!this.#accepts("write") || this.#bodyless || chunk.length === 0) return true;
    const piece = this.#owed >= 0 && chunk.length > this.#owed ? chunk.subarray(0, this.#owed) : chunk;
    if (piece.length < chunk.length) this.#tooLong(chunk.length - piece.length);
    if (piece.length === 0) return true;
    if (this.#owed >= 0) this.#owed -= piece.length;
    this.#bytes += piece.length;
    const ready = this.sendChunk(piece);
    this.#events?.passed(piece);
    if (this.#leaves) this.#endEvents();
    return ready;
  }

  end(trailers?: Headers): void {
    if (!this.#accepts("end")) return;
    if (this.#owed > 0) {
      const missing = `the response ended ${this.#owed} bytes before its Content-Length`;
      return this.fail(new SallyportError("APP_SHORT_BODY", missing));
    }
    this.sendEnd(trailers);
    this.#close(true, undefined);
  }

  fail(error: SallyportError): void {
    if (this.#phase === "closed") return;
    this.#note(error);
    if (this.#phase === "waiting" && error.status !== 0)
      return this.respond(errorHead(error), errorText(error));
    this.sendCut(error);
    this.#close(false, error);
  }

  leave(): void {
    this.#leaves = true;
    if (this.#events) this.#endEvents();
  }

  /** Whoever answers is told that it was cut; for the client it is an end like any other, after which it comes back. */
  #endEvents(): void {
    if (this.#phase !== "started" || !this.#events) return;
    const error = new SallyportError("STOPPING", "the event stream ended because the server leaves");
    if (!this.#events.legible || this.#owed >= 0) return this.fail(error);
    if (!this.#events.betweenEvents) return;
    this.sendEnd(undefined);
    this.#close(false, error);
  }

  whenDrained(callback: () => void): void {
    if (this.#phase === "closed") return;
    if (this.#drainers) this.#drainers.push(callback);
    else this.#drainers = [callback];
  }

  whenClosed(callback: (outcome: Outcome) => void): void {
    if (this.#outcome) callback(this.#outcome);
    else if (this.#closers) this.#closers.push(callback);
    else this.#closers = [callback];
  }

  // The listener's calls.

  /** What was held back has left. */
  drained(): void {
    const callbacks = this.#drainers;
    if (!callbacks) return;
    this.#drainers = undefined;
    for (const callback of callbacks) callback();
  }

  /** The client is gone, or broke the protocol: nothing more can be sent. */
  lost(error: SallyportError): void {
    if (this.#phase !== "closed") this.#close(false, error);
  }

  /** `status` has accepted a WebSocket: no call but `fail` has a meaning any more. Throws when it was answered already. */
  protected switched(status: number): void {
    if (!this.#accepts("accept")) return;
    this.#phase = "switched";
    this.#status = status;
  }

  /** The WebSocket is over: after a closing handshake, or because of `error`. */
  concluded(error: SallyportError | undefined, bytes: number): void {
    this.#bytes = bytes;
    this.#close(error === undefined, error);
  }

  #accepts(call: Call): boolean {
    if (ACCEPTS[this.#phase][call]) return true;
    if (this.#phase === "closed") return false;
    throw new TypeError(`exchange.${call}() after the exchange was ${this.#phase}`);
  }

  #tooLong(extra: number): void {
    this.log.warn("the application sent more body than its Content-Length; the rest was dropped", {
      target: this.request.target,
      extra,
    });
  }

  #note(error: SallyportError): void {
    const fields = {
      code: error.code,
      fault: error.fault,
      target: this.request.target,
      detail: error.detail,
    };
    if (error.fault === "client") this.log.info(error.message, fields);
    else this.log.error(error.message, fields);
  }

  /** The first end counts: a listener may find out while it sends that the client is lost. */
  #close(complete: boolean, error: SallyportError | undefined): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#drainers = undefined;
    this.#outcome = { complete, error, status: this.#status, bytes: this.#bytes };
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

/** The body that goes with it: status, the catalogue's sentence, the code. */
export const errorText = (error: SallyportError): string => `${error.status} ${error.text}\n${error.code}\n`;
