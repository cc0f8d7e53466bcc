// Lines of the access log as Apache writes them: common, combined, and ours, which is combined with more at its end. The
// parts that the requests of a connection share are made once.
// Tested by test/logs/access.test.ts.
import type { AccessParts, RequestHead } from "../exchange/index.ts";
import { header, repeatedOf } from "../exchange/index.ts";
import { escapeField, UNQUOTABLE } from "../wire/escape.ts";
import { type AccessEntry, CLIENT_CLOSED_REQUEST } from "./variables.ts";

/** `remote - user [time] "request" status bytes` */
export const commonLine = (entry: AccessEntry): string =>
  `${common(entry, partsOf(entry.exchange.request))}\n`;

/** The same, and `"referer" "agent"`. */
export function combinedLine(entry: AccessEntry): string {
  const parts = partsOf(entry.exchange.request);
  return `${common(entry, parts)} ${parts.fields}\n`;
}

/** The same, and `1.2ms app -`, where the last is the code of the error that cut the response. */
export function extendedLine({ exchange: { request }, outcome, stamp, ms, app }: AccessEntry): string {
  // Nearly every server writes this line for each request: all steps are in this one function.
  const { client, fields } = partsOf(request);
  const { version } = request;
  const asked = `${request.method} ${request.target} HTTP/${version === "2" ? "2.0" : version}`;
  const tenths = Math.round(ms * 10); // like toFixed(1), in a third of the time
  return (
    `${client} [${stamp}] "${UNQUOTABLE.test(asked) ? escapeField(asked) : asked}" ` +
    `${outcome.status || CLIENT_CLOSED_REQUEST} ${outcome.bytes || "-"} ${fields} ` +
    `${Math.floor(tenths / 10)}.${tenths % 10}ms ${app || "-"} ${outcome.error?.code ?? "-"}\n`
  );
}

function common({ exchange: { request }, outcome, stamp }: AccessEntry, { client }: AccessParts): string {
  const { version } = request;
  const asked = `${request.method} ${request.target} HTTP/${version === "2" ? "2.0" : version}`;
  return (
    `${client} [${stamp}] "${UNQUOTABLE.test(asked) ? escapeField(asked) : asked}" ` +
    `${outcome.status || CLIENT_CLOSED_REQUEST} ${outcome.bytes || "-"}`
  );
}

/** Made once for all requests of a connection that have the same fields. */
function partsOf(request: RequestHead): AccessParts {
  const repeated = repeatedOf(request);
  if (!repeated) return newParts(request);
  repeated.access ??= newParts(request);
  return repeated.access;
}

const newParts = ({ remote, user, headers }: RequestHead): AccessParts => ({
  client: `${word(remote.address)} - ${word(user?.name ?? "")}`,
  fields: `"${field(headers, "referer")}" "${field(headers, "user-agent")}"`,
});

/** An address or a user. A Unix socket's name, which the client chooses, must stay one field of the line. */
const word = (text: string): string =>
  PLAIN.test(text) ? text || "-" : escapeField(text).replaceAll(" ", "\\x20");
const PLAIN = /^[\w.:]*$/;

function field(headers: RequestHead["headers"], name: string): string {
  const value = header(headers, name);
  return value ? escapeField(value) : "-";
}
