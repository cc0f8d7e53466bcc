// An exchange whose request and response are recorded on their way, within bounds. What is beyond a bound still passes; it is
// only not kept, and the recording says so.
// Tested by test/inspect/captures.test.ts.
import {
  bytesOf,
  type Exchange,
  type Headers,
  type Outcome,
  type RequestBody,
  type RequestFacts,
  type RequestHead,
  type ResponseBody,
  type ResponseHead,
  type SallyportError,
  sizeOf,
  type Trace,
} from "../exchange/index.ts";
import { LayeredTrace } from "../exchange/layered-trace.ts";
import { WrappedExchange } from "../exchange/wrapped-exchange.ts";

/** Pieces whose moments are kept; what comes later counts as part of the last one. */
export const MOST_PIECES = 1_000;

/** Bytes, of which only the first are kept. */
export class KeptBytes {
  /** When they came (`performance.now()`), and how many bytes of each are kept. */
  readonly pieces: { readonly at: number; size: number }[] = [];
  readonly #most: number;
  /** Grows as it fills, so that many small pieces cost no more than their bytes. */
  #room: Buffer = Buffer.alloc(0);
  #kept = 0;
  /** All that there were. */
  size = 0;

  /** Keeps `most` bytes. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Copies what it keeps. */
  add(bytes: Uint8Array): void {
    this.size += bytes.length;
    const kept = bytes.subarray(0, this.#most - this.#kept);
    if (kept.length === 0) return;
    this.#grow(this.#kept + kept.length);
    this.#room.set(kept, this.#kept);
    this.#kept += kept.length;
    if (this.pieces.length < MOST_PIECES) this.pieces.push({ at: performance.now(), size: kept.length });
    else (this.pieces[MOST_PIECES - 1] as { size: number }).size += kept.length;
  }

  get cut(): boolean {
    return this.size > this.#kept;
  }

  /** A copy. */
  get bytes(): Buffer {
    return Buffer.from(this.#room.subarray(0, this.#kept));
  }

  #grow(needed: number): void {
    if (needed <= this.#room.length) return;
    const room = Buffer.alloc(Math.min(this.#most, Math.max(needed, this.#room.length * 2)));
    room.set(this.#room.subarray(0, this.#kept));
    this.#room = room;
  }
}

/** Also keeps the bytes that the application answers with. */
export class CapturingTrace extends LayeredTrace {
  override readonly captures: boolean = true;
  readonly answer: KeptBytes;

  constructor(most: number, before: Trace | undefined) {
    super(before);
    this.answer = new KeptBytes(most);
  }

  override answered(bytes: Uint8Array): void {
    this.answer.add(bytes);
  }
}

/** Everything that was seen of one exchange. Times are those of `performance.now()`. */
export interface Recording {
  readonly id: number;
  /** Name of the app in the configuration. */
  readonly app: string;
  /** As the gateway got it. */
  readonly request: RequestHead;
  readonly mount: string;
  readonly facts: RequestFacts | undefined;
  readonly body: KeptBytes;
  readonly trace: CapturingTrace;
  /** The final head; undefined until there is one, or when there was none. */
  head: ResponseHead | undefined;
  /** The application's head, where it could not be sent: an error of ours was. */
  refused: ResponseHead | undefined;
  readonly informs: ResponseHead[];
  readonly response: KeptBytes;
  trailers: Headers;
  /** That was sent; 0 until it is over, and when none was. */
  status: number;
  /** Why the response was cut, or was an error of ours. */
  error: SallyportError | undefined;
  over: boolean;
  /** Bytes that the body was announced with; undefined when only its end tells. */
  readonly bodyLength: number | undefined;
  /** It was read to its end. */
  bodyEnded: boolean;
  /** The recording whose request was given again. */
  readonly replayOf: number | undefined;
}

/** Records what passes on its way to and from a gateway. */
export class CapturedExchange extends WrappedExchange {
  readonly recording: Recording;
  override readonly body: RequestBody;

  /** `most`: bytes that are kept of the body, of the response, and of the application's answer, each. */
  constructor(exchange: Exchange, id: number, app: string, most: number, replayOf?: number) {
    super(exchange);
    const trace = new CapturingTrace(most, exchange.trace);
    trace.app = app;
    exchange.trace = trace;
    this.recording = {
      id,
      app,
      request: exchange.request,
      mount: exchange.mount,
      facts: exchange.facts,
      body: new KeptBytes(most),
      trace,
      head: undefined,
      refused: undefined,
      informs: [],
      response: new KeptBytes(most),
      trailers: [],
      status: 0,
      error: undefined,
      over: false,
      bodyLength: exchange.body.length,
      bodyEnded: false,
      replayOf,
    };
    this.body = new CapturedBody(exchange.body, this.recording);
    exchange.whenClosed((outcome) => this.#over(outcome));
  }

  #over({ status, error, failure }: Outcome): void {
    const { recording } = this;
    recording.status = status;
    recording.error ??= error ?? failure;
    recording.over = true;
    if (!failure) return;
    recording.refused = recording.head;
    recording.head = undefined;
  }

  override inform(head: ResponseHead): void {
    this.recording.informs.push(head);
    super.inform(head);
  }

  override respond(head: ResponseHead, body: ResponseBody): void {
    this.recording.head = head;
    if (sizeOf(body) > 0) this.recording.response.add(bytesOf(body));
    super.respond(head, body);
  }

  override start(head: ResponseHead): void {
    this.recording.head = head;
    super.start(head);
  }

  override write(chunk: Uint8Array): boolean {
    this.recording.response.add(chunk);
    return super.write(chunk);
  }

  override fail(error: SallyportError): void {
    if (!this.closed) this.recording.error = error;
    super.fail(error);
  }

  override end(trailers: Headers = []): void {
    this.recording.trailers = trailers;
    super.end(trailers.length > 0 ? trailers : undefined);
  }
}

/** Keeps what is read. */
class CapturedBody implements RequestBody {
  readonly length: number | undefined;
  readonly whole: Uint8Array | undefined;
  readonly #inner: RequestBody;
  readonly #recording: Recording;

  constructor(inner: RequestBody, recording: Recording) {
    this.#inner = inner;
    this.#recording = recording;
    this.length = inner.length;
    this.whole = inner.whole;
    if (inner.whole) recording.body.add(inner.whole);
  }

  get trailers(): Headers {
    return this.#inner.trailers;
  }

  async read(): Promise<Uint8Array | undefined> {
    const chunk = await this.#inner.read();
    if (chunk === undefined) this.#recording.bodyEnded = true;
    else if (!this.whole) this.#recording.body.add(chunk);
    return chunk;
  }

  discard(): void {
    this.#inner.discard();
  }

  keep(): void {
    this.#inner.keep?.();
  }
}
