// Checks the contract of the exchange at run time: the listener's exchanges and the answering side's calls. On in all tests
// (SALLYPORT_LINT=1); a violation is a defect of ours, so it is thrown, not logged.
import type { SallyportError } from "./errors.ts";
import type { Exchange, Gateway, Handshake, Outcome, RequestBody, ResponseHead } from "./exchange.ts";
import { type Headers, isFieldValue, isToken } from "./headers.ts";
import { Latin1, type ResponseBody } from "./lines.ts";
import { WrappedExchange } from "./wrapped-exchange.ts";

/** Which side broke the contract. */
export type Side = "listener" | "answer";

export class LintError extends Error {
  readonly side: Side;

  constructor(side: Side, rule: string) {
    super(`${side}: ${rule}`);
    this.name = "LintError";
    this.side = side;
  }
}

/** Gets each violation as well as the author's call, which may catch what it should not. */
export type Report = (violation: LintError) => void;

/** Ends the process: the answer to a broken contract in a test. */
const crash: Report = (violation) => {
  queueMicrotask(() => {
    throw violation;
  });
};

/** `gateway` with every exchange checked on its way in and out. */
export function lint(gateway: Gateway, report: Report = crash): Gateway {
  return {
    inner: gateway.inner,
    ...(gateway.status && { status: gateway.status.bind(gateway) }),
    ...(gateway.stacks && { stacks: gateway.stacks.bind(gateway) }),
    ...(gateway.scale && { scale: gateway.scale.bind(gateway) }),
    start: async () => gateway.start?.(),
    reload: async (agree) => gateway.reload?.(agree),
    leave: (why) => gateway.leave?.(why),
    close: async (grace) => gateway.close?.(grace),
    handle(exchange) {
      try {
        gateway.handle(new LintedExchange(exchange, report));
      } catch (error) {
        throw error instanceof LintError ? error : violation("answer", `handle() threw ${error}`, report);
      }
    },
  };
}

type Phase = "waiting" | "started" | "answered";

export class LintedExchange extends WrappedExchange {
  override readonly body: RequestBody;
  override readonly handshake: Handshake | undefined;
  readonly #report: Report;
  #phase: Phase = "waiting";
  /** The last write answered false, and has not drained. */
  #full = false;
  #ends = 0;

  constructor(inner: Exchange, report: Report = crash) {
    super(inner);
    this.#report = report;
    this.body = new LintedBody(inner.body, report);
    this.handshake = inner.handshake && this.#checked(inner.handshake);
    checkRequest(inner, (rule) => this.#fault("listener", rule));
    inner.whenClosed((outcome) => this.#onClosed(outcome));
  }

  override get mount(): string {
    return super.mount;
  }

  override set mount(mount: string) {
    this.#check("answer", this.request.path.startsWith(mount), `mount ${mount} is no prefix of the path`);
    super.mount = mount;
  }

  override inform(head: ResponseHead): void {
    this.#expect("inform", "waiting");
    this.#check(
      "answer",
      head.status >= 100 && head.status < 200 && head.status !== 101,
      `inform(${head.status})`,
    );
    this.#checkHead(head);
    super.inform(head);
  }

  override respond(head: ResponseHead, body: ResponseBody): void {
    this.#expect("respond", "waiting");
    this.#checkFinal(head);
    this.#check(
      "answer",
      typeof body === "string" || body instanceof Uint8Array || body instanceof Latin1,
      "the body is neither bytes nor text",
    );
    this.#phase = "answered";
    super.respond(head, body);
  }

  override start(head: ResponseHead): void {
    this.#expect("start", "waiting");
    this.#checkFinal(head);
    this.#phase = "started";
    super.start(head);
  }

  override write(chunk: Uint8Array): boolean {
    this.#expect("write", "started");
    this.#check("answer", chunk instanceof Uint8Array, "a chunk is not bytes");
    this.#check(
      "answer",
      !this.#full || this.closed,
      "write() after it gave false, without waiting for whenDrained",
    );
    const room = super.write(chunk);
    this.#full = !room;
    return room;
  }

  override end(trailers?: Headers): void {
    this.#expect("end", "started");
    if (trailers) this.#checkFields(trailers);
    this.#phase = "answered";
    super.end(trailers);
  }

  override fail(error: SallyportError): void {
    this.#phase = "answered";
    super.fail(error);
  }

  override whenDrained(callback: () => void): void {
    super.whenDrained(() => {
      this.#check("listener", !this.closed, "drained after the exchange was over");
      this.#full = false;
      callback();
    });
  }

  #checked(handshake: Handshake): Handshake {
    const accept: Handshake["accept"] = (choice, receiver) => {
      this.#expect("accept", "waiting");
      this.#phase = "answered";
      return handshake.accept(choice, receiver);
    };
    return { ...handshake, accept };
  }

  #onClosed(outcome: Outcome): void {
    this.#ends++;
    this.#check("listener", this.#ends === 1, "the end was reported twice");
    this.#check("listener", this.closed, "the end was reported before `closed` was true");
    this.#check(
      "listener",
      outcome.complete === (outcome.error === undefined),
      "an outcome both complete and failed",
    );
  }

  #expect(call: string, phase: Phase): void {
    const fits = this.#phase === phase || this.closed;
    this.#check("answer", fits, `${call}() while the exchange was ${this.#phase}`);
  }

  #checkFinal(head: ResponseHead): void {
    const { status } = head;
    this.#check(
      "answer",
      Number.isInteger(status) && status >= 200 && status <= 999,
      `final status ${status}`,
    );
    this.#checkHead(head);
  }

  #checkHead({ reason, headers }: ResponseHead): void {
    this.#check("answer", isFieldValue(reason), `reason ${JSON.stringify(reason)}`);
    this.#checkFields(headers);
  }

  #checkFields(headers: Headers): void {
    const rule = brokenField(headers);
    this.#check("answer", rule === undefined, rule ?? "");
  }

  #check(side: Side, holds: boolean, rule: string): void {
    if (!holds) this.#fault(side, rule);
  }

  #fault(side: Side, rule: string): never {
    throw violation(side, `${rule} (${this.request.method} ${this.request.target})`, this.#report);
  }
}

class LintedBody implements RequestBody {
  readonly #inner: RequestBody;
  readonly #report: Report;
  #reading = false;
  #bytes = 0;

  constructor(inner: RequestBody, report: Report) {
    this.#inner = inner;
    this.#report = report;
  }

  get length(): number | undefined {
    return this.#inner.length;
  }

  get whole(): Uint8Array | undefined {
    return this.#inner.whole;
  }

  get trailers(): Headers {
    return this.#inner.trailers;
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#reading) throw violation("answer", "body.read() while another is under way", this.#report);
    this.#reading = true;
    try {
      return this.#checked(await this.#inner.read());
    } finally {
      this.#reading = false;
    }
  }

  discard(): void {
    this.#inner.discard();
  }

  keep(): void {
    this.#inner.keep?.();
  }

  #checked(chunk: Uint8Array | undefined): Uint8Array | undefined {
    if (chunk?.length === 0) throw violation("listener", "body.read() gave an empty piece", this.#report);
    this.#bytes += chunk?.length ?? 0;
    const { length } = this;
    if (length !== undefined && this.#bytes > length)
      throw violation("listener", `a body of ${length} bytes gave ${this.#bytes}`, this.#report);
    return chunk;
  }
}

function checkRequest({ request, body, mount }: Exchange, fault: (rule: string) => never): void {
  const { method, path, query, version, headers } = request;
  if (!isToken(method)) fault(`method ${JSON.stringify(method)}`);
  if (!path.startsWith("/") && path !== "*") fault(`path ${JSON.stringify(path)}`);
  if (path.includes("?") || query.startsWith("?")) fault("path and query are not apart");
  if (!["1.0", "1.1", "2"].includes(version)) fault(`version ${version}`);
  if (!path.startsWith(mount)) fault(`mount ${mount} is no prefix of the path`);
  if (body.whole && body.whole.length !== body.length) fault("a whole body whose length is another");
  const rule = brokenField(headers);
  if (rule) fault(rule);
}

function brokenField(headers: Headers): string | undefined {
  if (headers.length % 2 !== 0) return "a header list of odd length";
  for (let i = 0; i < headers.length; i += 2) {
    if (!isToken(headers[i] as string)) return `header name ${JSON.stringify(headers[i])}`;
    if (!isFieldValue(headers[i + 1] as string)) return `header value ${JSON.stringify(headers[i + 1])}`;
  }
  return undefined;
}

function violation(side: Side, rule: string, report: Report): LintError {
  const error = new LintError(side, rule);
  report(error);
  return error;
}
