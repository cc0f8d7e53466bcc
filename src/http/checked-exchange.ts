// The rules for response heads in every version of HTTP (RFC 9110, 5.1, 5.5, 15), and the exchange that enforces them. Gateways
// check the heads of their applications; this is the last check, for all of them: a malformed head could split the response.
// Tested by test/protocols/http1/responses.test.ts.
import {
  BaseExchange,
  type Headers,
  HeadLines,
  HIGHEST_STATUS,
  isFieldValue,
  type ResponseHead,
  SallyportError,
} from "../exchange/index.ts";
import { fieldName } from "./fields.ts";
import { responseTrailers } from "./trailers.ts";

export abstract class CheckedExchange extends BaseExchange {
  protected override admits(head: ResponseHead): boolean {
    const fault = headFault(head);
    if (fault === undefined) return true;
    this.fail(new SallyportError("APP_PROTOCOL", `the response cannot be sent: ${fault}`));
    return false;
  }

  /** What is sent of `trailers`: to a client that takes them, those that may be sent. */
  protected admitted(trailers: Headers): Headers | undefined {
    return this.takesTrailers ? responseTrailers(trailers) : undefined;
  }

  /** Whether an informational response may be sent; a malformed one is logged. 101 is an upgrade's own. */
  protected admitsInform({ status, headers }: ResponseHead): boolean {
    if (this.request.version === "1.0" || status < 100 || status > 199 || status === 101) return false;
    const fault = fieldsFault(headers);
    if (fault === undefined) return true;
    this.log.warn(`an informational response was dropped: ${fault}`, { target: this.request.target });
    return false;
  }
}

/** A head as its maker should have checked it. */
const LINES =
  /^[0-9]{3}(?: [\t\x20-\x7e\x80-\xff]*)?\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*\r\n)*$/;

/** Lines of up to so many bytes are recognised where they come again: an application's heads are mostly alike. */
const LONGEST_REMEMBERED = 1_024;
let accepted = "";

function areFit(lines: string): boolean {
  const fit = LINES.test(lines);
  if (fit && lines.length <= LONGEST_REMEMBERED) accepted = lines;
  return fit;
}

/** `undefined` when `head` may be sent; otherwise why not. */
function headFault(head: ResponseHead): string | undefined {
  const { status } = head;
  if (!Number.isInteger(status) || status < 200 || status > HIGHEST_STATUS)
    return `a status that is not between 200 and ${HIGHEST_STATUS}`;
  if (head instanceof HeadLines && (head.lines === accepted || areFit(head.lines))) return undefined;
  const { reason, headers } = head;
  return isFieldValue(reason) ? fieldsFault(headers) : "a control character in the reason phrase";
}

/** The same for a bare list of fields: an informational response. */
function fieldsFault(headers: Headers): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    if (fieldName(headers[i] as string) === undefined) return "a header name that is not a token";
    if (!isFieldValue(headers[i + 1] as string)) return "a control character in a header value";
  }
  return undefined;
}
