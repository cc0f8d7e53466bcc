// Answers an exchange with a Response of the Fetch standard. A body that was made of a text or of bytes, or that ends in the
// turn in which it begins, leaves in one call; every other one is streamed as fast as the client reads it.
// Tested by test/apps/fetch.test.ts.
import {
  type Exchange,
  HIGHEST_STATUS,
  hasBody,
  isFieldValue,
  isToken,
  type Log,
  type ResponseHead,
  SallyportError,
} from "../exchange/index.ts";
import { describeThrown, failWithAppError } from "./app-error.ts";
import { givenHead, takeBody } from "./fast-response.ts";
import { takeSource } from "./fetch-internals.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;
type Result = Awaited<ReturnType<Reader["read"]>>;

/** Throws APP_PROTOCOL for a value that is no Response, and for a Response that cannot be sent. */
export function answerWith(exchange: Exchange, response: unknown, log: Log): void {
  if (!isResponse(response))
    throw broken(`the fetch app returned ${describeThrown(response)} instead of a Response`);
  const head = givenHead(response) ?? headOf(response);
  const whole = takeBody(response) ?? takeSource(response);
  if (whole !== undefined) return exchange.respond(head, whole);
  const { body } = response;
  if (!body) return exchange.respond(head, "");
  if (!hasBody(exchange.request.method, head.status)) {
    body.cancel().catch(ignore);
    return exchange.respond(head, "");
  }
  if (body.locked || response.bodyUsed)
    throw broken("the fetch app returned a Response whose body it had used already");
  new BodyPump(exchange, head, body.getReader(), log).begin();
}

const broken = (message: string): SallyportError => new SallyportError("APP_PROTOCOL", message);
const ignore = (): void => {};

/** A Response of any implementation: frameworks bring their own. */
function isResponse(value: unknown): value is Response {
  if (value instanceof Response) return true;
  if (typeof value !== "object" || value === null) return false;
  const { status, headers } = value as Partial<Response>;
  return typeof status === "number" && typeof headers?.forEach === "function" && "body" in value;
}

function headOf(response: Response): ResponseHead {
  const { status, statusText } = response;
  if (status < 200 || status > HIGHEST_STATUS)
    throw broken(`the fetch app returned a Response with the status ${status}`);
  const headers: string[] = [];
  for (const [name, value] of response.headers) {
    if (!isToken(name) || !isFieldValue(value))
      throw broken(`the fetch app set a header that cannot be sent: ${JSON.stringify(name)}`);
    headers.push(name, value);
  }
  const reason = statusText ?? "";
  if (!isFieldValue(reason)) throw broken("the fetch app set a statusText that cannot be sent");
  return { status, reason, headers };
}

class BodyPump {
  readonly #exchange: Exchange;
  readonly #head: ResponseHead;
  readonly #reader: Reader;
  readonly #log: Log;
  readonly #next = (piece: Result): void => this.#arrived(piece);
  readonly #failed = (error: unknown): void => this.#appFailed(error);
  /** The first piece, until the turn is over or the body has ended. */
  #held: Uint8Array | undefined;
  /** The client reads too slowly, and `#waiting` is what to do when it has caught up. */
  #stalled = false;
  #waiting: (() => void) | undefined;
  /** The body was read to its end. */
  #ended = false;

  constructor(exchange: Exchange, head: ResponseHead, reader: Reader, log: Log) {
    this.#exchange = exchange;
    this.#head = head;
    this.#reader = reader;
    this.#log = log;
  }

  begin(): void {
    this.#exchange.whenClosed(({ error }) => {
      // The answer may have been another one: that the application took too long.
      if (!this.#ended) this.#reader.cancel(error).catch(ignore);
    });
    this.#read();
  }

  #read(): void {
    this.#reader.read().then(this.#next, this.#failed);
  }

  #arrived({ done, value }: Result): void {
    if (this.#exchange.closed) return;
    if (done) return this.#end();
    if (!(value instanceof Uint8Array)) return this.#refuse(value);
    if (this.#exchange.started) return this.#write(value);
    if (this.#held) {
      this.#start();
      return this.#write(value);
    }
    this.#held = value;
    // Runs once all promises that can settle now have settled; a body that has not ended by then is a stream.
    process.nextTick(() => this.#start());
    this.#read();
  }

  #end(): void {
    this.#ended = true;
    if (this.#exchange.started) return this.#exchange.end();
    this.#exchange.respond(this.#head, this.#held ?? "");
  }

  #start(): void {
    if (this.#exchange.started || this.#exchange.closed) return;
    this.#exchange.start(this.#head);
    if (this.#held) this.#give(this.#held);
    this.#held = undefined;
  }

  #write(chunk: Uint8Array): void {
    this.#whenReady(() => {
      this.#give(chunk);
      this.#whenReady(() => this.#read());
    });
  }

  #give(chunk: Uint8Array): void {
    this.#stalled = !this.#exchange.write(chunk);
    if (this.#stalled) this.#exchange.whenDrained(() => this.#drained());
  }

  #drained(): void {
    const waiting = this.#waiting;
    this.#stalled = false;
    this.#waiting = undefined;
    waiting?.();
  }

  /** The second piece may arrive before the client has room for it: it was read before the first was written. */
  #whenReady(next: () => void): void {
    if (this.#stalled) this.#waiting = next;
    else next();
  }

  #refuse(value: unknown): void {
    const error = broken(`the fetch app's body stream gave ${describeThrown(value)} instead of a Uint8Array`);
    this.#exchange.fail(error);
  }

  #appFailed(error: unknown): void {
    failWithAppError(this.#exchange, error, this.#log);
  }
}
