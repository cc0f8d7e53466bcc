// The application's half of CGI/1.1 (RFC 3875, 6): a response head as bytes, for the listeners of CGI, FastCGI and SCGI
// ("Status: 200 OK"), and for uwsgi and NPH scripts (5), which write a status line ("HTTP/1.1 200 OK"). Strings are
// latin-1.
import {
  type Headers,
  HIGHEST_STATUS,
  HOP_BY_HOP,
  header,
  isFieldValue,
  isToken,
  type ResponseHead,
  SallyportError,
} from "../exchange/index.ts";
import { STATUS_CODES } from "../http/status-codes.ts";

export interface DocumentOptions {
  /** "status": a Status field (6.3.3). "http": a status line, as NPH scripts and uwsgi applications write it. */
  readonly form?: "status" | "http";
  /** Bytes of the body, announced when the head does not; undefined when unknown. */
  readonly length?: number | undefined;
  /** The response has no body, whatever its head announces (HEAD, 204, 304). */
  readonly bodyless?: boolean;
  /** `cgiHeadFault` has found nothing. */
  readonly checked?: boolean;
}

/**
 * The head with its empty line, without the fields of the connection. A document with a body always has a type (6.3.1):
 * application/octet-stream where the application named none. Throws APP_PROTOCOL where a response could be split.
 */
export function cgiResponseHead(head: ResponseHead, options: DocumentOptions = {}): string {
  const fault = options.checked ? undefined : cgiHeadFault(head);
  if (fault !== undefined) throw new SallyportError("APP_PROTOCOL", `the response cannot be sent: ${fault}`);
  const { form = "status", length, bodyless = false } = options;
  let text = form === "http" ? `HTTP/1.1 ${statusText(head)}\r\n` : `Status: ${statusText(head)}\r\n`;
  text += fieldLines(head);
  const { headers } = head;
  if (!bodyless && length !== undefined && header(headers, "content-length") === undefined)
    text += `Content-Length: ${length}\r\n`;
  if (!bodyless && length !== 0 && header(headers, "content-type") === undefined)
    text += "Content-Type: application/octet-stream\r\n";
  return `${text}\r\n`;
}

/** Why `head` must not be sent; undefined when it may. */
export function cgiHeadFault({ status, reason, headers }: ResponseHead): string | undefined {
  if (!Number.isInteger(status) || status < 200 || status > HIGHEST_STATUS)
    return `a status that is not between 200 and ${HIGHEST_STATUS}`;
  if (!isFieldValue(reason)) return "a control character in the reason phrase";
  return fieldsFault(headers);
}

function fieldsFault(headers: Headers): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    if (!isToken(headers[i] as string)) return "a header name that is not a token";
    if (!isFieldValue(headers[i + 1] as string)) return "a control character in a header value";
    if (isMalformedLength(headers[i] as string, headers[i + 1] as string))
      return "a Content-Length that is not a number";
  }
  return undefined;
}

const isMalformedLength = (name: string, value: string): boolean =>
  name.length === 14 && name.toLowerCase() === "content-length" && !/^\d{1,15}$/.test(value);

function statusText({ status, reason }: ResponseHead): string {
  const phrase = reason || (STATUS_CODES[status] ?? "");
  return phrase === "" ? String(status) : `${status} ${phrase}`;
}

/** With one Content-Length, the first, which is the one that the body was held to. */
function fieldLines({ status, headers }: ResponseHead): string {
  let text = "";
  let hasLength = false;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const lower = name.toLowerCase();
    if (!passes(lower, status) || (hasLength && lower === "content-length")) continue;
    text += `${name}: ${headers[i + 1]}\r\n`;
    hasLength ||= lower === "content-length";
  }
  return text;
}

/** No field of the connection; no second Status, which would overrule ours; no Content-Length of a 204 (RFC 9110, 8.6). */
function passes(name: string, status: number): boolean {
  if (name === "status" || HOP_BY_HOP.has(name)) return false;
  return name !== "content-length" || status !== 204;
}
