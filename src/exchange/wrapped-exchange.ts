// An exchange that passes every call on to another one. Who wants to change one call extends it.
// Tested by test/cli/dev.test.ts.
import type { SallyportError } from "./errors.ts";
import type {
  Exchange,
  Handshake,
  Outcome,
  RequestBody,
  RequestFacts,
  RequestHead,
  ResponseHead,
} from "./exchange.ts";
import type { Headers } from "./headers.ts";
import type { ResponseBody } from "./lines.ts";
import type { Trace } from "./trace.ts";

export class WrappedExchange implements Exchange {
  request: RequestHead;
  readonly body: RequestBody;
  readonly handshake: Handshake | undefined;
  readonly #inner: Exchange;
  #mount: string;

  constructor(inner: Exchange) {
    this.#inner = inner;
    this.request = inner.request;
    this.body = inner.body;
    this.handshake = inner.handshake;
    this.#mount = inner.mount;
  }

  /** Its own: of the inner exchange nothing is changed. */
  get mount(): string {
    return this.#mount;
  }

  set mount(mount: string) {
    this.#mount = mount;
  }

  get facts(): RequestFacts | undefined {
    return this.#inner.facts;
  }

  set facts(facts: RequestFacts | undefined) {
    this.#inner.facts = facts;
  }

  get trace(): Trace | undefined {
    return this.#inner.trace;
  }

  set trace(trace: Trace | undefined) {
    this.#inner.trace = trace;
  }

  get takesTrailers(): boolean {
    return this.#inner.takesTrailers;
  }

  get closed(): boolean {
    return this.#inner.closed;
  }

  get started(): boolean {
    return this.#inner.started;
  }

  inform(head: ResponseHead): void {
    this.#inner.inform(head);
  }

  respond(head: ResponseHead, body: ResponseBody): void {
    this.#inner.respond(head, body);
  }

  start(head: ResponseHead): void {
    this.#inner.start(head);
  }

  write(chunk: Uint8Array): boolean {
    return this.#inner.write(chunk);
  }

  end(trailers?: Headers): void {
    this.#inner.end(trailers);
  }

  fail(error: SallyportError): void {
    this.#inner.fail(error);
  }

  leave(): void {
    this.#inner.leave();
  }

  whenDrained(callback: () => void): void {
    this.#inner.whenDrained(callback);
  }

  whenClosed(callback: (outcome: Outcome) => void): void {
    this.#inner.whenClosed(callback);
  }
}
