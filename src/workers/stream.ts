// One exchange on its way through a worker: request out against what the worker asks for, response in against what the
// client takes. The other end is Stream in python/sallyport/stream.py.
import { Backlog, type BacklogLimits } from "../exchange/backlog.ts";
import { type Exchange, type Log, type ResponseHead, SallyportError } from "../exchange/index.ts";
import { FROM_WORKER, type FrameWriter, PIECE, TO_WORKER, WINDOW } from "./link.ts";

/** What a stream needs of the worker that runs it. */
export interface Carrier {
  readonly writer: FrameWriter;
  readonly log: Log;
  /** Sends what the writer holds, at the end of this turn of the loop. */
  flush(): void;
  /** The worker is about to end by itself. */
  leaving(): void;
  /** The worker has nothing more to do for this stream. */
  done(stream: Stream): void;
}

/** What a worker says when its application failed. */
interface Failure {
  readonly error: "APP_RAISED" | "APP_PROTOCOL";
  readonly message: string;
  readonly detail: string;
  /** The process ends now, as the application asked it to: nothing that was sent after this request is begun. */
  readonly leaving: boolean;
}

/** Writes the payload of REQUEST: the environ or the scope. Throws a SallyportError for what cannot be said. */
export type Encode = (writer: FrameWriter) => void;

export class Stream {
  readonly exchange: Exchange;
  id = 0;
  /** When the worker took it up, or when it began to wait in the queue (milliseconds, `performance.now`). */
  since = 0;
  readonly #encode: Encode;
  readonly #limits: BacklogLimits;
  #carrier: Carrier | undefined;
  #backlog: Backlog | undefined;
  #streaming = false;
  #ended = false;
  #accepted = 0;
  #wanted = 0;
  #pumping = false;

  constructor(exchange: Exchange, encode: Encode, limits: BacklogLimits) {
    this.exchange = exchange;
    this.#encode = encode;
    this.#limits = limits;
  }

  /** Between the head and the end of a response in pieces: it may take as long as it likes. */
  get streaming(): boolean {
    return this.#streaming && !this.#ended;
  }

  /** Hands the request to a worker. Throws what `encode` throws, with nothing written. */
  send(carrier: Carrier, id: number): void {
    const { writer } = carrier;
    writer.begin(TO_WORKER.REQUEST, id);
    try {
      this.#encode(writer);
    } catch (error) {
      writer.drop();
      throw error;
    }
    writer.finish();
    this.id = id;
    this.#carrier = carrier;
    carrier.flush();
    this.exchange.whenClosed(() => this.#cancel());
  }

  /** A frame of the worker's for this exchange. Throws a SallyportError (LINK_BROKEN) when it makes no sense. */
  receive(kind: number, payload: Buffer): void {
    switch (kind) {
      case FROM_WORKER.RESPONSE:
        this.#respond(payload);
        return this.#done();
      case FROM_WORKER.ANSWER:
        return this.#respond(payload);
      case FROM_WORKER.HEAD:
        this.#streaming = true;
        return this.exchange.start(parseHead(payload));
      case FROM_WORKER.CHUNK:
        return this.#chunk(payload);
      case FROM_WORKER.END:
        return this.#end();
      case FROM_WORKER.WANT:
        return this.#want(payload.readUInt32LE(0));
      case FROM_WORKER.ABORT:
        return this.#abort(payload);
      case FROM_WORKER.DONE:
        if (!this.#ended)
          this.fail(new SallyportError("APP_RAISED", "the application gave up on the request"));
        return this.#done();
      default:
        throw new SallyportError("LINK_BROKEN", `a worker sent a frame of unknown kind ${kind}`);
    }
  }

  /** The exchange cannot be answered (further), whoever finds out. */
  fail(error: SallyportError): void {
    this.#ended = true;
    this.exchange.fail(error);
  }

  /** Nothing of it was begun: it may be sent to another worker. */
  reclaim(): void {
    this.#carrier = undefined;
  }

  /** The application raised; after its response was complete that is news for the log only. */
  #abort(payload: Buffer): void {
    const { leaving, ...failure } = JSON.parse(payload.toString("utf8")) as Failure;
    const error = new SallyportError(failure.error, failure.message, { detail: failure.detail });
    const { code, fault, detail } = error;
    if (this.exchange.closed)
      this.#carrier?.log.error(`after the response: ${error.message}`, { code, fault, detail });
    this.fail(error);
    if (leaving) this.#carrier?.leaving();
    this.#done();
  }

  #respond(payload: Buffer): void {
    const length = payload.readUInt32LE(0);
    this.#ended = true;
    this.exchange.respond(parseHead(payload.subarray(4, 4 + length)), payload.subarray(4 + length));
  }

  #chunk(chunk: Buffer): void {
    this.#backlog ??= new Backlog(this.exchange, (octets) => this.#accept(octets), this.#limits);
    this.#backlog.push(chunk);
  }

  #end(): void {
    this.#ended = true;
    this.since = performance.now(); // what it does now is tidying up, and has its own time
    if (this.#backlog) this.#backlog.end();
    else this.exchange.end();
  }

  /** Grants the worker as much again, not for every piece but in large steps. */
  #accept(octets: number): void {
    this.#accepted += octets;
    const carrier = this.#carrier;
    if (this.#accepted < WINDOW / 2 || !carrier) return;
    carrier.writer.count(TO_WORKER.CREDIT, this.id, this.#accepted);
    carrier.flush();
    this.#accepted = 0;
  }

  #want(octets: number): void {
    this.#wanted += octets;
    if (!this.#pumping) this.#pump().catch((error: unknown) => this.fail(SallyportError.from(error)));
  }

  /** Request body out, as much as was asked for. The first read is what sends 100 Continue. */
  async #pump(): Promise<void> {
    this.#pumping = true;
    while (this.#wanted > 0 && this.#carrier) {
      const chunk = await this.exchange.body.read();
      const carrier: Carrier | undefined = this.#carrier;
      if (!carrier) break;
      if (chunk) this.#sendBody(carrier, chunk);
      else carrier.writer.frame(TO_WORKER.BODY_END, this.id);
      carrier.flush();
      if (!chunk) return;
    }
    this.#pumping = false;
  }

  #sendBody({ writer }: Carrier, chunk: Uint8Array): void {
    this.#wanted -= chunk.length;
    for (let start = 0; start < chunk.length; start += PIECE)
      writer.frame(TO_WORKER.BODY, this.id, chunk.subarray(start, start + PIECE));
  }

  #cancel(): void {
    const carrier = this.#carrier;
    if (!carrier || this.#ended) return;
    this.#ended = true;
    carrier.writer.frame(TO_WORKER.CANCEL, this.id);
    carrier.flush();
  }

  #done(): void {
    const carrier = this.#carrier;
    this.#carrier = undefined;
    carrier?.done(this);
  }
}

/** The text of a head: the status line's code and phrase, then names and values in turn, each on its line. */
function parseHead(payload: Buffer): ResponseHead {
  const lines = payload.toString("latin1").split("\n");
  const status = lines.shift() as string;
  return { status: Number(status.slice(0, 3)), reason: status.slice(4), headers: lines };
}
