// One request of a web server, from the application's side (specification, 3.3, 5, 6): its phases as a table, its
// parameters, its streams, and the records of its response.
// Tested by test/protocols/fastcgi/application/forms.test.ts.

import { CgiExchange, type CgiTransport } from "../../../cgi/exchange.ts";
import {
  type DescribedRequest,
  describeRequest,
  type VariableList,
} from "../../../cgi/metavariables/decode.ts";
import { nginxKeepsNoneWithMore, type Peer } from "../../../cgi/metavariables/peers.ts";
import { givePiece } from "../../../exchange/blocks.ts";
import {
  type FilterData,
  type Handler,
  type Log,
  NO_BODY,
  type RequestBody,
  SallyportError,
} from "../../../exchange/index.ts";
import { type Begin, endText, type Role, STATUS, streamPiece, TYPE, wholeStreamText } from "../codec.ts";
import { decodePairs } from "../pairs.ts";
import { SendQueue } from "./send-queues.ts";
import { RequestStdin } from "./stdin.ts";

/** The connection, as its requests see it. */
export interface RequestTransport {
  /** Bytes, or latin-1 text. */
  send(queue: SendQueue, record: Buffer | string): boolean;
  /** Its response is complete: the id is free again. */
  done(request: IncomingRequest): void;
  /** Its response will never be complete. */
  cut(request: IncomingRequest): void;
  /** A stream was paused or goes on. */
  flow(): void;
}

type Phase = "params" | "stdin" | "data" | "complete";
export type ReadStep = "params" | "stdin" | "data" | "abort";

/** The step that each type of record leads to; records of other types are ignored. */
const STEPS: Readonly<Record<Phase, Readonly<Record<number, ReadStep>>>> = {
  params: { [TYPE.PARAMS]: "params", [TYPE.ABORT_REQUEST]: "abort" },
  stdin: { [TYPE.STDIN]: "stdin", [TYPE.ABORT_REQUEST]: "abort" },
  data: { [TYPE.DATA]: "data", [TYPE.ABORT_REQUEST]: "abort" },
  complete: { [TYPE.ABORT_REQUEST]: "abort" },
};

/** Bytes of one record, so that send queues take turns by records. */
const MOST = 65_528;

export class IncomingRequest implements CgiTransport {
  readonly id: number;
  readonly role: Role;
  readonly keep: boolean;
  readonly queue: SendQueue;
  /** When what it owes must be here, on the clock of the listener. */
  deadline = Number.POSITIVE_INFINITY;
  /** undefined until the application has been asked. */
  exchange: CgiExchange | undefined;
  readonly #transport: RequestTransport;
  #phase: Phase = "params";
  #params: Buffer[] = [];
  #paramsSize = 0;
  #described: DescribedRequest | undefined;
  #variables: VariableList = [];
  #stdin: RequestStdin | undefined;
  #data: RequestStdin | undefined;

  constructor(id: number, role: Role, { keep }: Begin, transport: RequestTransport) {
    this.id = id;
    this.role = role;
    this.keep = keep;
    this.#transport = transport;
    this.queue = new SendQueue(() => this.exchange?.drained());
  }

  /** The step of a record of this type now. */
  step(type: number): ReadStep | undefined {
    return STEPS[this.#phase][type];
  }

  /** Nothing more is due from the server. */
  get complete(): boolean {
    if (this.#phase === "params") return false;
    return this.#phase === "complete" || (this.#stdin?.complete !== false && this.#data?.complete !== false);
  }

  /** Whether its server closes the connection when anything follows the response. */
  get partsWithMore(): boolean {
    return nginxKeepsNoneWithMore(this.#variable("SERVER_SOFTWARE"));
  }

  /** More of it should not come yet. */
  get paused(): boolean {
    return this.#stdin?.paused === true || this.#data?.paused === true;
  }

  // Coming in.

  /** A piece of PARAMS. Throws HEADERS_TOO_LARGE. */
  takeParams(content: Buffer, limit: number): void {
    this.#paramsSize += content.length;
    if (this.#paramsSize > limit)
      throw new SallyportError("HEADERS_TOO_LARGE", `the FastCGI parameters are more than ${limit} bytes`);
    this.#params.push(content);
  }

  /** PARAMS has ended. Throws the violation when it is not pairs. */
  readParams(violation: "BAD_REQUEST"): void {
    const bytes = this.#params.length === 1 ? (this.#params[0] as Buffer) : Buffer.concat(this.#params);
    this.#params = [];
    this.#variables = decodePairs(bytes, violation);
  }

  /** Reads the parameters. `highWater`: of the streams, instead of the default. Throws BAD_REQUEST, BODY_TOO_LARGE. */
  describe(peer: Peer, limit: number, highWater: number | undefined): void {
    const described = describeRequest(this.#variables, peer);
    this.#described = described;
    const newStdin = (length: number | undefined): RequestStdin =>
      new RequestStdin({ length, limit, highWater, flow: () => this.#transport.flow() });
    const length = this.#stdinLength(described);
    if (this.role !== "authorizer" && length !== 0) this.#stdin = newStdin(length);
    if (this.role === "filter") this.#data = newStdin(this.#dataLength());
    this.#phase = this.role === "authorizer" ? "complete" : "stdin";
  }

  /** A piece of a stream, or its end. Throws BODY_TOO_LARGE. */
  take(stream: "stdin" | "data", content: Buffer): void {
    const body = stream === "stdin" ? this.#stdin : this.#data;
    if (content.length > 0) return body?.take(content);
    this.#phase = stream === "stdin" && this.#data ? "data" : "complete";
    body?.end();
  }

  /** Asks the application, unless that was done. */
  dispatch(handler: Handler, log: Log): void {
    const described = this.#described;
    if (!described || this.exchange) return;
    const body: RequestBody = this.#stdin?.body() ?? NO_BODY;
    const exchange = new CgiExchange(described, body, log, this);
    this.exchange = exchange;
    if (this.#data) exchange.facts = { filterData: this.#filterData(this.#data) };
    try {
      handler(exchange);
    } catch (error) {
      exchange.fail(SallyportError.from(error));
    }
  }

  /** Nothing more will come, or can be sent. */
  lose(error: SallyportError): void {
    this.#stdin?.drop(error);
    this.#data?.drop(error);
    this.exchange?.lost(error);
  }

  /** The rest of the request will not come; it may be answered all the same. */
  starve(error: SallyportError): void {
    this.#phase = "complete";
    this.#stdin?.fail(error);
    this.#data?.fail(error);
    if (this.exchange && !this.exchange.started) this.exchange.fail(error);
  }

  // Going out.

  write(bytes: Uint8Array): boolean {
    let room = true;
    for (let at = 0; at < bytes.length; at += MOST)
      room = this.#send(streamPiece(TYPE.STDOUT, this.id, bytes.subarray(at, at + MOST)));
    givePiece(bytes); // records are copies
    return room;
  }

  respond(document: string): void {
    this.#finish(document);
  }

  answered(): void {
    this.#finish("");
  }

  cut(): void {
    this.#transport.cut(this);
    this.#drop();
  }

  #send(record: Buffer): boolean {
    return this.#transport.send(this.queue, record);
  }

  /** The rest of STDOUT, its end, and END_REQUEST. */
  #finish(rest: string): void {
    const { id } = this;
    const records = wholeStreamText(TYPE.STDOUT, id, rest) + endText(id, 0, STATUS.REQUEST_COMPLETE);
    this.#transport.send(this.queue, records);
    this.#transport.done(this);
    this.#drop();
  }

  /** The response is over: the body must not look complete to a reader. */
  #drop(): void {
    if (this.#phase === "complete" && !this.#data) return;
    const error = new SallyportError("BODY_INCOMPLETE", "the response ended before its request");
    if (this.#phase !== "complete") this.#stdin?.drop(error);
    this.#data?.drop(error);
  }

  /**
   * Without CONTENT_LENGTH the body ends with STDIN (6.2): nginx sends none for an upload over HTTP/2 that it does not
   * buffer. But a GET or HEAD without it has no body.
   */
  #stdinLength({ length, request: { method } }: DescribedRequest): number | undefined {
    if (length !== 0 || method === "GET" || method === "HEAD") return length;
    return this.#variable("CONTENT_LENGTH") ? length : undefined;
  }

  #filterData(data: RequestStdin): FilterData {
    const seconds = this.#variable("FCGI_DATA_LAST_MOD");
    const known = seconds !== undefined && /^\d{1,12}$/.test(seconds);
    return { body: data.body(), lastModified: known ? new Date(Number(seconds) * 1000) : undefined };
  }

  #dataLength(): number | undefined {
    const value = this.#variable("FCGI_DATA_LENGTH");
    return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
  }

  #variable(name: string): string | undefined {
    const at = this.#variables.findIndex((text, i) => i % 2 === 0 && text === name);
    return at < 0 ? undefined : this.#variables[at + 1];
  }
}
