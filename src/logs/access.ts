// The access log: a line for each exchange in the combined format that every log reader knows, with its duration, the app
// that answered and, for a response that was cut, the code of the error at the end. Lines are written in batches: a write
// for each would cost more than all the rest of a line.
import type { AccessParts, Exchange, Handler, Outcome, RequestHead } from "../exchange/index.ts";
import { header, repeatedOf } from "../exchange/index.ts";
import { escapeQuoted, UNQUOTABLE } from "./escape.ts";
import type { LineSink } from "./sinks.ts";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** nginx's status for a client that left before a response began; log readers know it. */
const CLIENT_CLOSED_REQUEST = 499;

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
  #lines = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(sink: LineSink) {
    this.#sink = sink;
    if (open.size === 0) process.on("exit", leaveAll);
    open.add(this);
  }

  /** Runs `admit`, which returns the name of the app, and adds a line for each exchange once it is over. */
  logging(admit: (exchange: Exchange) => string | undefined): Handler {
    return (exchange) => {
      const begun = performance.now();
      const app = admit(exchange) ?? "-";
      exchange.whenClosed((outcome) => {
        const now = performance.now();
        this.#add(accessLine(exchange, outcome, now - begun, app, stampAt(now)));
      });
    };
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

/** `remote - - [time] "request" status bytes "referer" "agent" 1.2ms app -` */
export function accessLine(
  { request }: Exchange,
  { status, bytes, error }: Outcome,
  ms: number,
  app: string,
  stamp: string,
): string {
  const { client, fields } = partsOf(request);
  const asked = `${request.method} ${request.target} HTTP/${request.version}`;
  return (
    `${client} - - [${stamp}] "${UNQUOTABLE.test(asked) ? escapeQuoted(asked) : asked}" ` +
    `${status || CLIENT_CLOSED_REQUEST} ${bytes || "-"} ${fields} ${tenths(ms)}ms ${app} ${error?.code ?? "-"}\n`
  );
}

/** Like `toFixed(1)`, in a third of the time. */
function tenths(ms: number): string {
  const all = Math.round(ms * 10);
  return `${Math.floor(all / 10)}.${all % 10}`;
}

/** Made once for all requests of a connection that have the same fields. */
function partsOf(request: RequestHead): AccessParts {
  const repeated = repeatedOf(request);
  if (!repeated) return newParts(request);
  repeated.access ??= newParts(request);
  return repeated.access;
}

const newParts = ({ remote, headers }: RequestHead): AccessParts => ({
  client: clientOf(remote.address),
  fields: `"${field(headers, "referer")}" "${field(headers, "user-agent")}"`,
});

/** An address. A Unix socket's name, which the client chooses, must stay one field of the line. */
const clientOf = (address: string): string =>
  PLAIN.test(address) ? address || "-" : escapeQuoted(address).replaceAll(" ", "\\x20");
const PLAIN = /^[\w.:]*$/;

function field(headers: RequestHead["headers"], name: string): string {
  const value = header(headers, name);
  return value ? escapeQuoted(value) : "-";
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
