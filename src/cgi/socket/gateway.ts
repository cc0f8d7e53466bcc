// The web server's half of "CGI over a socket": a connection to an application for each request. SCGI and uwsgi supply
// the encoder of the variables.
import type { Socket } from "node:net";
import {
  type Exchange,
  type Gateway,
  type GatewayStatus,
  header,
  type RequestBody,
  SallyportError,
  spool,
  statusWithoutProcesses,
} from "../../exchange/index.ts";
import { type MemberOf, Members } from "../../exchange/members.ts";
import { timerDelay } from "../../exchange/wait.ts";
import {
  aCount,
  addresses,
  type Checks,
  checkArgument,
  checkOptions,
  milliseconds,
} from "../../options/checks.ts";
import { Upstreams } from "../../upstreams/index.ts";
import { CONSTANT_VARIABLES, metaVariables } from "../metavariables/encode.ts";
import { CONNECTED_CHECKS, type ConnectedApplicationOptions, latin1Variables, MAX_BODY } from "../options.ts";
import { Semaphore } from "../semaphore.ts";
import { Conversation, type ConversationOptions } from "./conversation.ts";

export interface SocketGatewayOptions extends ConnectedApplicationOptions {
  /** Where the application listens, `unix:PATH` or `HOST:PORT`; of several the least busy is asked. */
  readonly address: string | readonly string[];
  /** Connections at once, to all addresses together. Default 256. */
  readonly connections?: number | undefined;
  /** Milliseconds between two pieces of a response; then it is cut. 0 for no limit. Default 60 s. */
  readonly idleTimeout?: number | undefined;
}

const CHECKS: Checks<SocketGatewayOptions> = {
  address: addresses,
  ...CONNECTED_CHECKS,
  connections: aCount,
  idleTimeout: milliseconds,
};

/** Throws CONFIG_INVALID for arguments of `place` ("scgi()") that are wrong. */
export function checkSocketGateway(place: string, options: SocketGatewayOptions): void {
  checkOptions(place, options, CHECKS, '{ address: "127.0.0.1:9000" }');
  checkArgument(place, "address", options.address, addresses);
}

/** Supplied by the protocol: the variables as bytes, for a body of `length`. Throws HEADERS_TOO_LARGE, BAD_REQUEST. */
export type EncodePacket = (variables: ReadonlyMap<string, string>, length: number) => Uint8Array;

export class SocketGateway implements Gateway {
  readonly #encode: EncodePacket;
  /** "SCGI" or "uwsgi". */
  readonly #interface: string;
  readonly #options: SocketGatewayOptions;
  readonly #maxBody: number;
  /** Those of the options. */
  readonly #extra: readonly (readonly [name: string, value: string])[];
  readonly #upstreams: Upstreams;
  readonly #semaphore: Semaphore;
  readonly #conversation: ConversationOptions;
  readonly #active = new Members<MemberOf<Exchange>>();
  readonly #sockets = new Members<MemberOf<Socket>>();
  #closing = false;
  #emptied: (() => void) | undefined;

  /** Throws CONFIG_INVALID. */
  constructor(name: string, encode: EncodePacket, options: SocketGatewayOptions) {
    const { timeout = 30_000, idleTimeout = 60_000, redirect } = options;
    this.#interface = name;
    this.#encode = encode;
    this.#options = options;
    this.#maxBody = options.maxBody ?? MAX_BODY;
    this.#extra = latin1Variables(options.variables);
    this.#upstreams = new Upstreams(options.address, options);
    this.#semaphore = new Semaphore(
      options.connections ?? 256,
      options.queue ?? 1024,
      options.queueTimeout ?? 30_000,
    );
    const names = this.#upstreams.all.map((upstream) => upstream.name).join(", ");
    this.#conversation = { name: names, timeout, idleTimeout, redirect };
  }

  handle(exchange: Exchange): void {
    if (this.#closing) return exchange.fail(new SallyportError("STOPPING", "the gateway is closing"));
    const held = { place: -1, value: exchange };
    this.#active.add(held);
    exchange.whenClosed(() => this.#left(held));
    this.#serve(exchange).catch((error: unknown) => exchange.fail(SallyportError.from(error)));
  }

  status(): GatewayStatus {
    return statusWithoutProcesses(this.#interface, this.#semaphore.waiting);
  }

  async close(grace: number): Promise<void> {
    this.#closing = true;
    if (this.#active.size > 0) await this.#finished(grace);
    this.#dropSockets();
  }

  async #finished(grace: number): Promise<void> {
    const stopping = new SallyportError("STOPPING", "the server stopped before the application had answered");
    const cut = setTimeout(() => {
      for (const { value } of this.#active) value.fail(stopping);
    }, timerDelay(grace));
    await new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    clearTimeout(cut);
  }

  /** An application that has answered, but not closed, must not delay us. */
  #dropSockets(): void {
    for (const { value } of this.#sockets) value.destroy();
  }

  #left(held: MemberOf<Exchange>): void {
    this.#active.delete(held);
    if (this.#active.size === 0) this.#emptied?.();
  }

  async #serve(exchange: Exchange): Promise<void> {
    const body = this.#streams(exchange) ? exchange.body : await this.#setAside(exchange);
    const variables = this.#variables(exchange, body.length ?? 0);
    await this.#semaphore.take(exchange);
    const socket = await this.#connect();
    exchange.trace?.handedOver();
    if (exchange.closed) socket.destroy();
    else await new Conversation(exchange, socket, body, this.#conversation).run(variables);
  }

  /** The permit that was taken is given back when the connection ends. */
  async #connect(): Promise<Socket> {
    try {
      const socket = await this.#upstreams.connect();
      const held = { place: -1, value: socket };
      this.#sockets.add(held);
      socket.once("close", () => {
        this.#sockets.delete(held);
        this.#semaphore.give();
      });
      return socket;
    } catch (error) {
      this.#semaphore.give();
      throw error;
    }
  }

  /** A client that waits for 100 Continue sends nothing before the application reads: its body streams. */
  #streams({ body, request }: Exchange): boolean {
    if (body.whole && body.whole.length <= this.#maxBody) return true;
    if (body.length === undefined) return false;
    return (
      this.#options.bufferBody === false ||
      header(request.headers, "expect")?.toLowerCase() === "100-continue"
    );
  }

  /** Slow clients wait here, not at the application; and a chunked body gets a length. */
  async #setAside(exchange: Exchange): Promise<RequestBody> {
    const spooled = await spool(exchange.body, { limit: this.#maxBody });
    exchange.whenClosed(() => spooled.dispose());
    return spooled.body();
  }

  #variables(exchange: Exchange, length: number): Uint8Array {
    return this.#encode(packetVariables(exchange, length, this.#extra), length);
  }
}

/** All variables of a request with a body of `length` bytes; those in `extra` replace the others. Throws BAD_PATH. */
export function packetVariables(
  exchange: Exchange,
  length: number,
  extra: readonly (readonly [name: string, value: string])[],
): Map<string, string> {
  const variables = new Map<string, string>(CONSTANT_VARIABLES);
  metaVariables(exchange, (name, value) => variables.set(name, value), length);
  for (const [name, value] of extra) variables.set(name, value);
  return variables;
}
