// The access log: a line for each exchange. Lines are written in batches: a write for each would cost more than all the rest
// of a line.
import {
  type Exchange,
  type Handler,
  type Headers,
  type ResponseBody,
  type ResponseHead,
  Trace,
} from "../exchange/index.ts";
import { WrappedExchange } from "../exchange/wrapped-exchange.ts";
import { type AccessFormat, accessFormat } from "./format.ts";
import type { LineSink } from "./sinks.ts";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** Milliseconds that a line may wait for others. */
const LONGEST_WAIT = 50;
/** Characters after which a batch is written. */
const BATCH = 16 * 1024;

/** Logs that may hold lines when the process ends. */
const open = new Set<AccessLog>();

const leaveAll = (): void => {
  for (const log of open) log.leave();
};

export class AccessLog {
  readonly #sink: LineSink;
  readonly #format: AccessFormat;
  readonly #interfaceOf: (app: string) => string;
  #lines = "";
  #timer: NodeJS.Timeout | undefined;

  /** `interfaceOf` gives the interface of the app of a name. */
  constructor(sink: LineSink, format: string = "extended", interfaceOf: (app: string) => string = () => "") {
    this.#sink = sink;
    this.#format = accessFormat(format);
    this.#interfaceOf = interfaceOf;
    if (open.size === 0) process.on("exit", leaveAll);
    open.add(this);
  }

  /** Runs `admit`, which returns the name of the app, and adds a line for each exchange once it is over. */
  logging(admit: (exchange: Exchange) => string | undefined): Handler {
    const { hasPhases, hasResponseHeaders, line } = this.#format;
    const follow: Handler = (exchange) => {
      const begun = performance.now();
      if (hasPhases) exchange.trace ??= new Trace();
      const app = admit(exchange) ?? "";
      exchange.whenClosed((outcome) => {
        const now = performance.now();
        const entry = {
          exchange,
          outcome,
          ms: now - begun,
          app: exchange.facts?.app ?? app,
          interfaceOf: this.#interfaceOf,
          stamp: now < stampUntil ? stamp : stampAt(now),
          responseHeaders: exchange instanceof SeenExchange ? exchange.responseHeaders : undefined,
        };
        this.#add(line(entry));
      });
    };
    return hasResponseHeaders ? (exchange) => follow(new SeenExchange(exchange)) : follow;
  }

  /** Opens the file anew; all earlier lines go to the old one. */
  reopen(): void {
    this.#flush();
    this.#sink.reopen();
  }

  /** Closes the file once everything is written. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flush();
    await this.#sink.close();
    open.delete(this);
    if (open.size === 0) process.off("exit", leaveAll);
  }

  /** Writes what it holds at once: the process ends. */
  leave(): void {
    this.#flush();
    this.#sink.leave();
  }

  #add(line: string): void {
    if (this.#lines.length + line.length > BATCH) this.#flush();
    this.#lines += line;
    this.#timer ??= setTimeout(this.#waited, LONGEST_WAIT);
  }

  readonly #waited = (): void => {
    this.#timer = undefined;
    this.#flush();
  };

  #flush(): void {
    const lines = this.#lines;
    if (lines === "") return;
    this.#lines = "";
    this.#sink.write(lines);
  }
}

/** Keeps the header fields of its response. */
class SeenExchange extends WrappedExchange {
  responseHeaders: Headers | undefined;

  override respond(head: ResponseHead, body: ResponseBody): void {
    this.responseHeaders = head.headers;
    super.respond(head, body);
  }

  override start(head: ResponseHead): void {
    this.responseHeaders = head.headers;
    super.start(head);
  }
}

let stamp = "";
/** The start of the next second, by `performance.now()`. */
let stampUntil = -1;

/** `21/Nov/2026:01:47:50 +0000`, made once a second. `now` is `performance.now()`, which the caller has read anyway. */
function stampAt(now: number): string {
  if (now >= stampUntil) {
    const date = new Date();
    stamp = stampOf(date);
    stampUntil = now + 1000 - date.getMilliseconds();
  }
  return stamp;
}

export function stampOf(date: Date): string {
  const [, year, month, day, time] = /^(\d+)-(\d+)-(\d+)T(\d+:\d+:\d+)/.exec(
    date.toISOString(),
  ) as RegExpExecArray;
  return `${day}/${MONTHS[Number(month) - 1]}/${year}:${time} +0000`;
}
