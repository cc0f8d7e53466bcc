// What an application would be handed for a request, by the interface that it is written for: its values with where each
// comes from, and the bytes on the wire. Made by the gateways' own encoders.

import { fetchRequest } from "../apps/fetch-request.ts";
import { nodeObjects } from "../apps/node.ts";
import { CONSTANT_VARIABLES } from "../cgi/metavariables/encode.ts";
import { latin1Variables } from "../cgi/options.ts";
import { packetVariables } from "../cgi/socket/gateway.ts";
import type { Exchange } from "../exchange/index.ts";
import { writeScope } from "../protocols/asgi/scope.ts";
import { commandFor } from "../protocols/cgi/command.ts";
import { dissectEnvironment, dissectInput, environmentBlock } from "../protocols/cgi/dissect.ts";
import type { CgiProgram } from "../protocols/cgi/program.ts";
import { beginText, TYPE, wholeStream, wholeStreamText } from "../protocols/fastcgi/codec.ts";
import { dissectRecords } from "../protocols/fastcgi/dissect.ts";
import { Params } from "../protocols/fastcgi/server/params.ts";
import { encodeScgiRequest } from "../protocols/scgi/codec.ts";
import { dissectScgi } from "../protocols/scgi/dissect.ts";
import { encodeUwsgiRequest } from "../protocols/uwsgi/codec.ts";
import { dissectUwsgi } from "../protocols/uwsgi/dissect.ts";
import { writeEnviron } from "../protocols/wsgi/environ.ts";
import type { WireField } from "../wire/fields.ts";
import { CommonParts } from "../workers/common-parts.ts";
import { dissectFrames } from "../workers/dissect.ts";
import { FrameWriter, type StreamTransport } from "../workers/index.ts";
import { BODIES, CARRIERS, type InterfaceName } from "./facts.ts";
import { sourceOf } from "./sources.ts";

/** One thing that the application is handed. */
export interface HandedValue {
  readonly name: string;
  readonly value: string;
  /** Where it comes from. */
  readonly from: string;
}

/** Bytes that leave the server, taken apart. */
export interface WireMessage {
  readonly name: string;
  readonly bytes: Buffer;
  readonly fields: readonly WireField[];
}

export interface Handover {
  readonly interface: InterfaceName;
  readonly carrier: string;
  readonly values: readonly HandedValue[];
  readonly body: HandedValue;
  readonly messages: readonly WireMessage[];
}

/** What the configuration adds. */
export interface HandoverContext {
  /** What a CGI program gets of the server's own environment. */
  readonly inherited: Readonly<Record<string, string>>;
  /** Variables of the configuration: `env` of a CGI program, `variables` of the others. */
  readonly variables: Readonly<Record<string, string>>;
  /** The CGI program that was found, and DOCUMENT_ROOT. */
  readonly program: CgiProgram;
  readonly documentRoot: string;
  readonly argvFromQuery: boolean;
  /** A trusted proxy has described the client. */
  readonly byProxy: boolean;
  /** Bytes of the body, where only its beginning is at hand; then there are no messages. */
  readonly length?: number | undefined;
  /** Threads and processes of a WSGI application. */
  readonly threads: number;
  readonly processes: number;
}

/** What an application of the interface `named` is handed for `exchange`, whose body is `body`. Throws BAD_PATH, BAD_REQUEST. */
export function handoverOf(
  named: InterfaceName,
  exchange: Exchange,
  body: Buffer,
  context: HandoverContext,
): Handover {
  const { values, messages = [] } = HANDOVERS[named](exchange, body, context);
  const isConfigured = (name: string): boolean => Object.hasOwn(context.variables, name);
  const from = (name: string): string =>
    isConfigured(name) ? "the configuration of the app" : sourceOf(name, exchange, context.byProxy);
  return {
    interface: named,
    carrier: CARRIERS[named],
    values: values.map(([name, value]) => ({ name, value, from: from(name) })),
    body: { name: BODIES[named], value: bodyText(body), from: "the body of the request" },
    messages: context.length === undefined ? messages : [],
  };
}

type Pair = readonly [name: string, value: string];

interface Handed {
  readonly values: readonly Pair[];
  readonly messages?: readonly WireMessage[];
}

type MakeHandover = (exchange: Exchange, body: Buffer, context: HandoverContext) => Handed;

const HANDOVERS: Readonly<Record<InterfaceName, MakeHandover>> = {
  cgi(exchange, body, { inherited, variables, program, documentRoot, argvFromQuery, length = body.length }) {
    const options = { inherited, env: variables, documentRoot, argvFromQuery };
    const { command, args, env } = commandFor(exchange, program, length, options);
    const words = [command, ...args].map((value, i): Pair => [`argv[${i}]`, value]);
    const block = environmentBlock(env);
    const environment = { name: "environment", bytes: block, fields: dissectEnvironment(block) };
    const input = { name: "standard input", bytes: body, fields: dissectInput(body) };
    const messages = body.length > 0 ? [environment, input] : [environment];
    return { values: [...words, ...Object.entries(env)], messages };
  },

  fastcgi(exchange, body, { variables, length }) {
    const constants = new Map([...CONSTANT_VARIABLES, ...latin1Variables(variables)]);
    const params = new Params(constants).of(exchange, body.length);
    const head = beginText(1, "responder", true) + wholeStreamText(TYPE.PARAMS, 1, params);
    const bytes = Buffer.concat([Buffer.from(head, "latin1"), wholeStream(TYPE.STDIN, 1, body)]);
    const messages = [{ name: "FastCGI records", bytes, fields: dissectRecords(bytes) }];
    return { values: [...packetOf(exchange, body, variables, length)], messages };
  },

  scgi(exchange, body, { variables, length }) {
    const packet = packetOf(exchange, body, variables, length);
    const bytes = Buffer.concat([encodeScgiRequest(packet, body.length), body]);
    const messages = [{ name: "SCGI request", bytes, fields: dissectScgi(bytes) }];
    return { values: [["SCGI", "1"], ...packet], messages };
  },

  uwsgi(exchange, body, { variables, length }) {
    const packet = packetOf(exchange, body, variables, length);
    const bytes = Buffer.concat([encodeUwsgiRequest(packet, body.length), body]);
    const messages = [{ name: "uwsgi request", bytes, fields: dissectUwsgi(bytes) }];
    return { values: [...packet], messages };
  },

  wsgi(exchange, body, { threads, processes, length }) {
    const bytes = framesOf((transport) => writeEnviron(transport, 1, exchange, body));
    const values: Pair[] = [
      ...packetOf(exchange, body, {}, length),
      ["wsgi.url_scheme", exchange.request.scheme],
      ...WSGI_OWN,
      ["wsgi.multithread", truth(threads > 1)],
      ["wsgi.multiprocess", truth(processes > 1)],
    ];
    return { values, messages: [{ name: "frame of the link", bytes, fields: dissectFrames(bytes) }] };
  },

  asgi(exchange) {
    const bytes = framesOf((transport) => writeScope(transport, 1, exchange));
    const fields = dissectFrames(bytes);
    const scope = fields[0]?.fields?.find(({ name }) => name === "payload")?.fields ?? [];
    const entries = scope.filter(({ name, fields: inner }) => inner?.length === 2 && name !== "body");
    const values = entries.map(
      ({ name, fields: inner = [] }): Pair => [name, pythonText(inner[1] as WireField)],
    );
    return { values: [...values, ...ASGI_OWN], messages: [{ name: "frame of the link", bytes, fields }] };
  },

  fetch(exchange) {
    const { method, url, headers } = fetchRequest(exchange);
    const { address } = exchange.request.remote;
    return {
      values: [
        ["method", method],
        ["url", url],
        ...[...headers].map(([name, value]): Pair => [`headers: ${name}`, value]),
        ["remote", address],
        ["mount", exchange.mount],
      ],
    };
  },

  node(exchange) {
    const { req } = nodeObjects(exchange);
    const { originalUrl = "", baseUrl = "" } = req as unknown as Record<string, string>;
    return {
      values: [
        ["method", req.method ?? ""],
        ["url", req.url ?? ""],
        ["originalUrl", originalUrl],
        ["baseUrl", baseUrl],
        ["httpVersion", req.httpVersion],
        ...Object.entries(req.headers).map(([name, value]): Pair => [`headers: ${name}`, `${value}`]),
        ["socket.remoteAddress", req.socket.remoteAddress ?? ""],
        ["socket.localAddress", req.socket.localAddress ?? ""],
      ],
    };
  },
};

/** What the worker adds to every environ; python/sallyport/wsgi/server.py has the same. */
const WSGI_OWN: readonly Pair[] = [
  ["wsgi.version", "(1, 0)"],
  ["wsgi.errors", "sys.stderr"],
  ["wsgi.run_once", "False"],
  ["wsgi.input_terminated", "True"],
  ["wsgi.file_wrapper", "a class: any file-like object, block by block"],
];

/** What the worker adds to every scope; python/sallyport/asgi/server.py has the same. */
const ASGI_OWN: readonly Pair[] = [
  ["asgi", "{'version': '3.0', 'spec_version': '2.5'}"],
  ["state", "what the application left there at its start (lifespan)"],
  ["extensions", "{'http.response.early_hint': {}, ...}"],
];

const truth = (value: boolean): string => (value ? "True" : "False");

/** The complete set of variables of the CGI family, in the order in which they are sent. */
const packetOf = (
  exchange: Exchange,
  body: Buffer,
  variables: Readonly<Record<string, string>>,
  length: number = body.length,
): Map<string, string> => packetVariables(exchange, length, latin1Variables(variables));

function framesOf(write: (transport: StreamTransport) => void): Buffer {
  const writer = new FrameWriter();
  write({ writer, commonParts: new CommonParts() } as StreamTransport);
  return Buffer.concat(
    writer.take().map((piece) => (typeof piece === "string" ? Buffer.from(piece, "latin1") : piece)),
  );
}

/** A marshalled value as Python writes it. */
function pythonText({ value, fields = [] }: WireField): string {
  const items = fields.filter(({ name }) => /^\d+$/.test(name)).map(pythonText);
  if (fields.some(({ name }) => name === "count"))
    return fields[0]?.value === "[" ? `[${items.join(", ")}]` : `(${items.join(", ")})`;
  return value;
}

const SHOWN = 200;

const bodyText = (body: Buffer): string =>
  body.length === 0 ? "empty" : `${body.length} bytes: ${JSON.stringify(body.toString("utf8", 0, SHOWN))}`;
