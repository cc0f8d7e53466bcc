// The part of the environ that a request adds (PEP 3333): CGI's meta-variables, wsgi.url_scheme and wsgi.input, marshalled.
// Tested by test/protocols/wsgi/contract.test.ts.

import {
  commonVariables,
  contentLength,
  metaVariables,
  pathInfo,
  scriptName,
} from "../../cgi/metavariables/encode.ts";
import { type Exchange, type Repeated, type RequestHead, repeatedOf } from "../../exchange/index.ts";
import type { Spooled } from "../../exchange/spool.ts";
import { LARGE, type StreamTransport, TO_WORKER } from "../../workers/index.ts";
import {
  bytes,
  DICT,
  DICT_END,
  entry,
  int,
  latin1,
  marshal,
  NONE,
  PAIR,
  SEVEN,
} from "../../workers/marshal.ts";

/** A body: bytes, a file, or undefined if it will be streamed. */
export type Input = Uint8Array | Spooled | undefined;

/** Writes the request: whole, or only what is new if the connection has sent the same fields before. Throws BAD_PATH. */
export function writeEnviron(transport: StreamTransport, id: number, exchange: Exchange, input: Input): void {
  const length = input ? input.length : exchange.body.length;
  const repeated =
    length === undefined || exchange.facts?.authorizerVariables ? undefined : repeatedOf(exchange.request);
  if (!repeated) return write(transport, TO_WORKER.REQUEST, id, environ(exchange, length, input), input);
  const line = requestLine(exchange);
  const rest = restOf(exchange, length as number, input);
  const number =
    transport.commonParts.numberOf(repeated) || sendCommonPart(transport, repeated, exchange.request);
  write(transport, TO_WORKER.REPEAT, id, SEVEN + int(number) + line + rest, input);
}

/** A large body comes behind what is marshalled. */
function write({ writer }: StreamTransport, kind: number, id: number, text: string, input: Input): void {
  if (isLarge(input)) writer.textAndBytes(kind, id, text, input);
  else writer.text(kind, id, text);
}

const isLarge = (input: Input): input is Uint8Array => input instanceof Uint8Array && input.length >= LARGE;

function environ(exchange: Exchange, length: number | undefined, input: Input): string {
  let text = DICT;
  const put = (name: string, value: string): void => {
    text += entry(name, value);
  };
  metaVariables(exchange, put, length);
  put("wsgi.url_scheme", exchange.request.scheme);
  return text + inputEntry(input) + DICT_END;
}

/** Method, script name, path, query and target, in the order that python/sallyport/wsgi/server.py expects. */
function requestLine({ request, mount }: Exchange): string {
  const { method, path, query, target } = request;
  return (
    latin1(method) +
    latin1(scriptName(mount)) +
    latin1(pathInfo(path, mount)) +
    latin1(query) +
    latin1(target)
  );
}

/** CONTENT_LENGTH and the body, if there is one. */
function restOf({ request }: Exchange, length: number, input: Input): string {
  const announced = contentLength(request.headers, length);
  if (announced === undefined && input?.length === 0) return NONE;
  return (
    DICT + (announced === undefined ? "" : CONTENT_LENGTH + latin1(announced)) + inputEntry(input) + DICT_END
  );
}

const CONTENT_LENGTH = latin1("CONTENT_LENGTH");

/** Sends what stays the same while the fields do. Returns its number. */
function sendCommonPart(
  { commonParts, writer }: StreamTransport,
  repeated: Repeated,
  request: RequestHead,
): number {
  const [number, replaced] = commonParts.enter(repeated);
  let text = PAIR + int(replaced) + DICT;
  commonVariables(request, false, (name, value) => {
    text += entry(name, value);
  });
  writer.text(TO_WORKER.COMMON, number, text + entry("wsgi.url_scheme", request.scheme) + DICT_END);
  return number;
}

const INPUT = latin1("wsgi.input");

/** Bytes, the number of bytes behind what is marshalled, the path of the file, or None. "" if there is no body. */
function inputEntry(input: Input): string {
  if (input === undefined) return INPUT + NONE;
  if (isLarge(input)) return INPUT + int(input.length);
  if (input instanceof Uint8Array) return input.length === 0 ? "" : INPUT + bytes(input);
  return INPUT + marshal(input.file as string);
}
