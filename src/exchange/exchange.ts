// The neutral middle: one request with its response and the facts of its connection. Listeners make exchanges,
// gateways and apps answer them; neither knows the other. This file is the whole contract.
// Tested by test/exchange/base-exchange.test.ts.
import type { Socket } from "node:net";
import type { SallyportError } from "./errors.ts";
import type { Headers } from "./headers.ts";
import type { ResponseBody } from "./lines.ts";
import type { Agree } from "./reloads.ts";
import type { Repeated } from "./repeated.ts";
import type { GatewayStatus, Load, ProcessBounds, ProcessStacks } from "./status.ts";
import type { Trace } from "./trace.ts";

/** One end of a connection. `port` is 0 and `address` the path (or "") on a Unix socket. */
export interface Address {
  readonly address: string;
  readonly port: number;
  /** Nobody knows it: `address` is "", but it need not be a Unix socket. */
  readonly unknown?: true;
}

export interface RequestHead {
  readonly method: string;
  /** The request target as it was sent, or as the protocol in front would have it sent. */
  readonly target: string;
  /** The path, still percent-encoded, always starting with "/" (or "*" of OPTIONS). Never has a query. */
  readonly path: string;
  /** The part after the first "?"; "" when there is none. */
  readonly query: string;
  /** "1.0", "1.1", "2". */
  readonly version: string;
  readonly headers: Headers;
  readonly scheme: "http" | "https";
  /** Host and port as the client named them (target's or Host header's); "" when it named none (HTTP/1.0). */
  readonly authority: string;
  readonly remote: Address;
  readonly local: Address;
  /** The facts of the client's TLS connection; absent where there is none, or a proxy in front does not pass them on. */
  readonly tls?: TlsFacts | undefined;
  /** The user whom a server in front has authenticated: passed on by a gateway protocol, never by a header of HTTP. */
  readonly user?: AuthenticatedUser | undefined;
  /** Present where earlier requests on the connection had the same fields; read it with `repeatedOf`. */
  readonly repeated?: Repeated | undefined;
  /** Present after a local redirect: the request that was redirected. Read the first one with `firstRequest`. */
  readonly redirectedFrom?: RequestHead | undefined;
}

/** RFC 3875, 4.1.1 and 4.1.11. Each character is one byte. */
export interface AuthenticatedUser {
  readonly name: string;
  /** "Basic", "Digest"; "" when unknown. */
  readonly scheme: string;
}

/** The facts of a TLS connection, one object for all its requests. */
export interface TlsFacts {
  /** "TLSv1.2", "TLSv1.3". */
  readonly protocol: string;
  /** The cipher suite by its name in the IANA registry ("TLS_AES_128_GCM_SHA256"). */
  readonly cipher: string;
  /** The name that the client asked for (SNI); "" when it named none. */
  readonly serverName: string;
  /** The certificate that we showed, PEM; "" when unknown. */
  readonly certificate: string;
  /** The client's certificate, when it showed one. */
  readonly client: ClientCertificate | undefined;
}

export interface ClientCertificate {
  /** PEM, the client's own first, then those of its issuers that it sent. */
  readonly chain: readonly string[];
  /** Distinguished names as RFC 4514 writes them ("CN=alice,O=Example"). */
  readonly subject: string;
  readonly issuer: string;
  /** Hexadecimal digits, upper case. */
  readonly serial: string;
  /** As the certificate says it: "Nov 21 04:37:20 2026 GMT". */
  readonly validFrom: string;
  readonly validTo: string;
  /** Why the certificate is not trusted ("self-signed certificate"); "" when it is. */
  readonly error: string;
}

/** Facts about a request that are found out on its way to the answer. Few requests have any. */
export interface RequestFacts {
  /** Name of the app that another one has passed the request on to, and whose it is from then on. */
  app?: string | undefined;
  /** Meta-variables that a FastCGI authorizer added (FastCGI 1.0, 6.3); they replace those of the request. */
  authorizerVariables?: ReadonlyMap<string, string> | undefined;
  /** The second stream of a FastCGI Filter (FastCGI 1.0, 6.4). */
  filterData?: FilterData | undefined;
}

/** The file that a web server wants filtered. */
export interface FilterData {
  readonly body: RequestBody;
  /** When the file was last modified; undefined when the server did not say. */
  readonly lastModified: Date | undefined;
}

/** The request body, pulled. Reading asks the client to go on (100-continue) and makes room for more. */
export interface RequestBody {
  /** Bytes announced; 0 when there is no body; undefined when only the end will tell (chunked). */
  readonly length: number | undefined;
  /** The whole body when it is already here, and it is then final; undefined when it must be read. */
  readonly whole: Uint8Array | undefined;
  /**
   * The next piece, never empty, in order; undefined at the complete end, and ever after.
   * One call at a time. Rejects with a SallyportError (CLIENT_LEFT, BODY_INCOMPLETE, BODY_TOO_LARGE, REQUEST_TIMEOUT,
   * BAD_REQUEST) when the body will never be complete.
   */
  read(): Promise<Uint8Array | undefined>;
  /** Trailer fields; filled, if at all, once `read` has given undefined. */
  readonly trailers: Headers;
  /** The rest is not wanted: the listener throws away what the client still sends, within its limits. */
  discard(): void;
  /**
   * The reader may go on after the response. It then gets what has arrived and what the listener still reads, within its limits,
   * and the error if that is not all. Without this call only the error is left.
   */
  keep?(): void;
}

/** A response head. `reason` "" means the usual phrase of the status. */
export interface ResponseHead {
  /** From 200 to `HIGHEST_STATUS`; from 100 to 199 if it is informational. */
  readonly status: number;
  readonly reason: string;
  readonly headers: Headers;
}

/** How an exchange ended. A response is complete, or it was cut and `error` says why and whose fault it was. */
export interface Outcome {
  readonly complete: boolean;
  readonly error: SallyportError | undefined;
  /** Why a complete response is not the application's, but one that says so; absent otherwise. */
  readonly failure?: SallyportError | undefined;
  /** The status that was sent; 0 when none was. */
  readonly status: number;
  /** Bytes of response body handed to the listener. */
  readonly bytes: number;
}

/**
 * The opening handshake of a WebSocket (RFC 6455, RFC 8441) that the listener has found valid and can carry. To refuse it,
 * answer the exchange like any other; a 2xx, which would mean acceptance over HTTP/2, fails the exchange.
 */
export interface Handshake {
  /** The subprotocols that the client offers, in its order. */
  readonly subprotocols: readonly string[];
  /**
   * Opens the WebSocket. Messages that came meanwhile reach `receiver` in later turns of the loop, never within this call.
   * From now on the exchange counts as started; it closes when the WebSocket has closed: complete after a closing handshake.
   * Throws a SallyportError (APP_PROTOCOL) for a subprotocol that was not offered or headers that cannot be sent. Once only.
   */
  accept(choice: Acceptance, receiver: WebSocketReceiver): WebSocketSession;
}

export interface Acceptance {
  /** One of those offered; undefined for none. */
  readonly subprotocol: string | undefined;
  /** More header fields of the response; none of those of the handshake itself. */
  readonly headers: Headers;
}

/** Receives the client's messages. */
export interface WebSocketReceiver {
  /** A whole message. Text is UTF-8 that has been checked. */
  message(data: Uint8Array, binary: boolean): void;
  /** The last call, exactly once. `code` as RFC 6455, 7.1.5 has it: 1005 without a code, 1006 without a closing handshake. */
  closed(code: number, reason: string): void;
}

/** The sending side of an open WebSocket. After `closed` every call is harmless and does nothing. */
export interface WebSocketSession {
  /** A whole message, text as UTF-8; the bytes are not copied. False when the client is slower than we are: wait for `whenDrained`. */
  send(data: Uint8Array, binary: boolean): boolean;
  /** Calls back once when `send` may go on. Not called after the WebSocket has closed. */
  whenDrained(callback: () => void): void;
  /**
   * Begins the closing handshake. `code` is one that may be sent (RFC 6455, 7.4), or undefined for a close frame without one; `reason` at
   * most 123 bytes of UTF-8.
   */
  close(code: number | undefined, reason: string): void;
  /** No more messages until `resume`; the client has to wait. */
  pause(): void;
  resume(): void;
}

/**
 * One request, to be answered once. The calls of the answering side, in order:
 * `inform*`, then either `respond`, or `start`, `write*`, `end`; or, at any moment, `fail`.
 * After the exchange is over (`closed`) every call is harmless and does nothing.
 */
export interface Exchange {
  /** Replaced only before a gateway sees it, by the request as a trusted proxy in front describes it. */
  request: RequestHead;
  readonly body: RequestBody;
  /** Undefined until there is one. A wrapper of an exchange passes them on, in both directions. */
  facts?: RequestFacts | undefined;
  /** Present where something reads when the steps of the exchange happened. A wrapper passes it on, too. */
  trace?: Trace | undefined;
  /** Present where the request opens a WebSocket and the listener can carry one. */
  readonly handshake?: Handshake | undefined;
  /** The part of `request.path` that led here, percent-encoded as sent: SCRIPT_NAME. "" at the root. Routes set it. */
  mount: string;
  /** Whether trailers given to `end` would be sent: where the protocol carries them and the client says `TE: trailers`. */
  readonly takesTrailers: boolean;
  /** True once the response has ended or was cut, or the client is gone. */
  readonly closed: boolean;
  /** True once a final response head has been given. */
  readonly started: boolean;

  /** An informational response (1xx, not 101). Dropped where the client cannot take it (HTTP/1.0, CGI). */
  inform(head: ResponseHead): void;
  /** The whole response in one call: the fast path. Content-Length is added when it is missing. */
  respond(head: ResponseHead, body: ResponseBody): void;
  /** The head, with more to come. */
  start(head: ResponseHead): void;
  /**
   * A piece of the body. False when the client is slower than we are: wait for `whenDrained`. The piece is not copied; its memory
   * may be used again once it was sent, if it is the server's own, so a wrapper that keeps it must copy it.
   */
  write(chunk: Uint8Array): boolean;
  /** The complete end. Trailers are dropped unless `takesTrailers`. */
  end(trailers?: Headers): void;
  /** Cannot be answered (further): an error response while there is no head yet, afterwards a visible cut. */
  fail(error: SallyportError): void;
  /**
   * The server leaves. An event stream, which would never end by itself, ends after its next event, or with a visible cut where
   * events cannot be told apart or its length was announced. Its outcome is not complete. Any other response goes on.
   */
  leave(): void;

  /** Calls back once when `write` may go on. Not called after the exchange has closed. */
  whenDrained(callback: () => void): void;
  /** Calls back exactly once, when the exchange is over; at once if it already is. */
  whenClosed(callback: (outcome: Outcome) => void): void;
}

/** Answers exchanges. `handle` never throws: an error goes to `exchange.fail`. */
export interface Gateway {
  handle(exchange: Exchange): void;
  /**
   * The gateways that it passes exchanges on to. The owner of this one starts, reloads and closes them as well (each
   * once, wherever else it stands); its own methods leave them alone.
   */
  readonly inner?: readonly Gateway[] | undefined;
  /** Gets ready (starts workers, checks files). Rejects with a SallyportError: config or app at fault. */
  start?(): Promise<void>;
  /**
   * A new generation of the application replaces the old without losing a request. Rejects, and keeps the old one. Once the new one is
   * ready, `agree` may be called, before it takes over: it resolves when all that is reloaded with it is ready, and rejects when
   * something is not: then the new one must end.
   */
  reload?(agree?: Agree): Promise<void>;
  /** What there is to say about the application at the moment. */
  status?(): GatewayStatus;
  /** Changes how many processes run the application, until the next reload. Resolves once it has begun; rejects with a SallyportError. */
  scale?(bounds: ProcessBounds): Promise<void>;
  /**
   * Where in Python code its requests are, asked without stopping them. Takes little more than a second: a process that
   * does not answer has a `reason`. Rejects with STACKS_UNAVAILABLE.
   */
  stacks?(): Promise<readonly ProcessStacks[]>;
  /** The server is about to stop: ends WebSockets and event streams, which never end by themselves. Never throws. */
  leave?(why?: Leaving): void;
  /** Finishes exchanges under way, for `grace` milliseconds at the most, then ends all processes. Never rejects. */
  close?(grace: number): Promise<void>;
}

/** "restart": another process or generation takes over, so that clients may come back at once. Otherwise "stop". */
export type Leaving = "restart" | "stop";

/** Where a listener puts the exchanges it makes: a gateway's `handle`, or the routes in front of several. */
export type Handler = (exchange: Exchange) => void;

/** Speaks one protocol on accepted connections (TCP, Unix, TLS), and makes exchanges of the requests. */
export interface Listener {
  /** Takes over a connection, made with `allowHalfOpen`, so that a client may end its side and still be answered. */
  accept(socket: Socket): void;
  /** What it has to do at the moment. */
  load?(): Load | undefined;
  /** From now on each connection closes with its next response, which says so. */
  leave?(): void;
  /** Closes idle connections, lets exchanges under way finish for `grace` milliseconds, then cuts. Never rejects. */
  close(grace: number): Promise<void>;
}
