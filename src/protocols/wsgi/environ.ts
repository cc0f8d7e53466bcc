// The part of the environ that a request adds (PEP 3333): CGI's meta-variables, wsgi.url_scheme and wsgi.input, as the
// marshal of a dict.
import { type Exchange, type RequestHead, repeatedOf } from "../../exchange/index.ts";
import type { Spooled } from "../../exchange/spool.ts";
import { bytes, DICT, DICT_END, entry, latin1, marshal, NONE } from "../../workers/marshal.ts";
import { grantedVariables } from "../cgi/granted.ts";
import { commonVariables, metaVariables, putLength, requestLineVariables } from "../cgi/variables.ts";

/** A body: bytes, a file that holds them, or undefined for one that will be streamed. */
export type Input = Uint8Array | Spooled | undefined;

/** Throws BAD_PATH. */
export function environ(exchange: Exchange, input: Input): string {
  const { request, body } = exchange;
  const length = input ? input.length : body.length;
  let text = DICT;
  const put = (name: string, value: string): void => {
    text += entry(name, value);
  };
  const repeated = length === undefined || grantedVariables(exchange) ? undefined : repeatedOf(request);
  if (repeated) {
    requestLineVariables(exchange, put);
    repeated.environ ??= common(request);
    text += repeated.environ;
    putLength(request.headers, length, put);
  } else {
    metaVariables(exchange, put, length);
    put("wsgi.url_scheme", request.scheme);
  }
  return text + inputEntry(input) + DICT_END;
}

/** What does not change while the fields do not. */
function common(request: RequestHead): string {
  let text = "";
  commonVariables(request, false, (name, value) => {
    text += entry(name, value);
  });
  return flat(text + entry("wsgi.url_scheme", request.scheme));
}

/** In one piece: what is kept must not keep what it was joined from. */
const flat = (text: string): string => Buffer.from(text, "latin1").toString("latin1");

const INPUT = latin1("wsgi.input");

/** Bytes, the path of the file, or None. Nothing when there is no body. */
function inputEntry(input: Input): string {
  if (input === undefined) return INPUT + NONE;
  if (input instanceof Uint8Array) return input.length === 0 ? "" : INPUT + bytes(input);
  return INPUT + marshal(input.file as string);
}
