// The access log: a line an exchange in the combined format that every log reader knows, with the time it took, the
// app that answered and, for a response that was cut, the code of the error at the end.
import type { Exchange, Outcome } from "../exchange/index.ts";
import { header } from "../exchange/index.ts";
import { escapeQuoted } from "./escape.ts";
import type { Sink } from "./log.ts";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** What nginx writes for a client that left before a response began; log readers know it. */
const CLIENT_CLOSED_REQUEST = 499;

/** Writes the exchange's line to `sink` once it is over. `app` names who answers, `begun` is when (performance.now). */
export function logAccess(exchange: Exchange, sink: Sink, app: string, begun: number): void {
  exchange.whenClosed((outcome) => {
    sink.write(accessLine(exchange, outcome, performance.now() - begun, app, new Date()));
  });
}

/** `remote - - [time] "request" status bytes "referer" "agent" 1.2ms app -` */
export function accessLine(exchange: Exchange, outcome: Outcome, ms: number, app: string, now: Date): string {
  const { request } = exchange;
  const requested = escapeQuoted(`${request.method} ${request.target} HTTP/${request.version}`);
  const status = outcome.status || CLIENT_CLOSED_REQUEST;
  const who = client(request.remote.address);
  return (
    `${who} - - [${clock(now)}] "${requested}" ${status} ${outcome.bytes || "-"} ` +
    `"${field(exchange, "referer")}" "${field(exchange, "user-agent")}" ${ms.toFixed(1)}ms ${app} ` +
    `${outcome.error?.code ?? "-"}\n`
  );
}

/** An address; the name of a Unix socket, as whoever connected chose it, must stay one field of the line. */
const client = (address: string): string =>
  PLAIN.test(address) ? address || "-" : escapeQuoted(address).replaceAll(" ", "\\x20");
const PLAIN = /^[\w.:]*$/;

function field(exchange: Exchange, name: string): string {
  const value = header(exchange.request.headers, name);
  return value ? escapeQuoted(value) : "-";
}

let clockSecond = -1;
let clockText = "";

/** `21/Nov/2026:01:47:50 +0000`, made once a second. */
function clock(now: Date): string {
  const second = Math.floor(now.getTime() / 1000);
  if (second !== clockSecond) [clockSecond, clockText] = [second, clockOf(now)];
  return clockText;
}

function clockOf(now: Date): string {
  const [, year, month, day, time] = /^(\d+)-(\d+)-(\d+)T(\d+:\d+:\d+)/.exec(
    now.toISOString(),
  ) as RegExpExecArray;
  return `${day}/${MONTHS[Number(month) - 1]}/${year}:${time} +0000`;
}
