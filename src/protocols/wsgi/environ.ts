// The part of the environ that a request adds (PEP 3333): CGI's meta-variables, wsgi.url_scheme and wsgi.input, marshalled.
// Tested by test/protocols/wsgi/contract.test.ts.

import { commonVariables, metaVariables, pathInfo, scriptName } from "../../cgi/metavariables/encode.ts";
import { type Exchange, type RequestHead, repeatedOf } from "../../exchange/index.ts";
import { WrappedExchange } from "../../exchange/wrapped-exchange.ts";
import { rawRequest } from "../../websocket/index.ts";
import { type Input, LARGE, type StreamTransport, TO_WORKER } from "../../workers/index.ts";
import {
  bytes,
  DICT,
  DICT_END,
  EMPTY,
  entry,
  int,
  latin1,
  marshal,
  NONE,
  SEVEN,
} from "../../workers/marshal.ts";

/** Writes the request: whole, or only what is new if the connection has sent the same fields before. Throws BAD_PATH. */
export function writeEnviron(
  { writer, commonParts }: StreamTransport,
  id: number,
  exchange: Exchange,
  input: Input,
): void {
  const length = input ? input.length : exchange.body.length;
  const repeated =
    length === undefined || exchange.facts?.authorizerVariables ? undefined : repeatedOf(exchange.request);
  const large = input instanceof Uint8Array && input.length >= LARGE ? input : undefined;
  if (!repeated) return writer.text(TO_WORKER.REQUEST, id, environ(exchange, length, input), large);
  const line = requestLine(exchange);
  const rest = length === 0 && !repeated.hasLength ? NONE : restOf(length as number, input);
  const number =
    commonParts.numberOf(repeated) || commonParts.send(writer, repeated, commonPart(repeated.first));
  writer.text(TO_WORKER.REPEAT, id, SEVEN + int(number) + line + rest, large);
}

/** Writes a request that asks for a WebSocket: the application may take its socket. Throws BAD_PATH. */
export function writeUpgrade({ writer }: StreamTransport, id: number, exchange: Exchange): void {
  const seen = new WrappedExchange(exchange);
  seen.request = rawRequest(exchange.request);
  writer.text(TO_WORKER.UPGRADE, id, environ(seen, 0, NO_INPUT));
}

const NO_INPUT = new Uint8Array(0);

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
    (mount === "" ? EMPTY : latin1(scriptName(mount))) +
    latin1(pathInfo(path, mount)) +
    (query === "" ? EMPTY : latin1(query)) +
    latin1(target)
  );
}

/** CONTENT_LENGTH and the body. */
const restOf = (length: number, input: Input): string =>
  DICT + CONTENT_LENGTH + latin1(String(length)) + inputEntry(input) + DICT_END;

const CONTENT_LENGTH = latin1("CONTENT_LENGTH");

/** What stays the same while the fields do. */
function commonPart(request: RequestHead): string {
  let text = "";
  commonVariables(request, false, (name, value) => {
    text += entry(name, value);
  });
  return text + entry("wsgi.url_scheme", request.scheme);
}

const INPUT = latin1("wsgi.input");

/** Bytes, the number of bytes behind what is marshalled, the path of the file, or None. "" if there is no body. */
function inputEntry(input: Input): string {
  if (input === undefined) return INPUT + NONE;
  if (!(input instanceof Uint8Array)) return INPUT + marshal(input.file as string);
  if (input.length >= LARGE) return INPUT + int(input.length);
  return input.length === 0 ? "" : INPUT + bytes(input);
}
