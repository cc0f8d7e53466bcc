// Where connections come in that speak TLS: it is taken off, and they go on to whoever speaks the protocol within.
import type { Socket } from "node:net";
import { createServer, type SecureContext, type Server, type TLSSocket } from "node:tls";
import { type Log, SallyportError } from "../../exchange/index.ts";
import { copyAddresses, socketAddressesOf } from "../addresses.ts";
import { forgetWhenClosed } from "../closed.ts";
import { resetSocket } from "../reset.ts";
import { transportOf } from "../transport.ts";
import { setTlsFacts } from "./facts.ts";
import { answerPlainly, beginsLikeHttp } from "./plain.ts";
import { contextFor, type SecureContexts } from "./secure-contexts.ts";
import type { TlsSettings } from "./settings.ts";

export interface TlsAcceptorOptions {
  /** Gets the decrypted connection; its facts can be asked for (tlsFactsOf, connectionOf). */
  readonly accept: (socket: Socket) => void;
  readonly contexts: SecureContexts;
  readonly settings: Pick<TlsSettings, "clientCertificates" | "handshakeTimeout" | "handshakes">;
  /** The protocols that are spoken within TLS, the best first (ALPN, RFC 7301). */
  readonly protocols: readonly string[];
  readonly log: Log;
}

export class TlsAcceptor {
  readonly #options: TlsAcceptorOptions;
  readonly #server: Server;
  /** From the connection until it has passed, or is refused to its end. */
  readonly #pending = new Set<Socket>();
  #contexts: SecureContexts;

  constructor(options: TlsAcceptorOptions) {
    const { contexts, settings, protocols } = options;
    this.#options = options;
    this.#contexts = contexts;
    // It never listens: connections are given to it.
    this.#server = createServer({
      ...contexts.first,
      ALPNProtocols: [...protocols],
      SNICallback: (name, found) => found(null, this.#contextFor(name)),
      requestCert: settings.clientCertificates !== "off",
      // Whoever is refused for a missing certificate is told so, which only a finished handshake allows.
      rejectUnauthorized: false,
      handshakeTimeout: settings.handshakeTimeout,
    });
    // Not at once: what is done to a connection must not happen within the callbacks of its own handshake.
    this.#server.on("secureConnection", (socket) => {
      socket.on("error", () => {});
      setImmediate(() => this.#secured(socket));
    });
    this.#server.on("tlsClientError", (error, socket) => this.#failed(error, socket));
  }

  /** Takes over a connection of which nothing has been read, or what was read has been put back. */
  accept(socket: Socket): void {
    if (this.#pending.size >= this.#options.settings.handshakes) return this.#refuse(socket);
    this.#pending.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#pending.delete(socket));
    this.#awaitHello(socket);
  }

  /** From now on clients are shown these; sessions of before cannot be resumed. */
  setContexts(contexts: SecureContexts): void {
    this.#contexts = contexts;
    this.#server.setSecureContext(contexts.first);
  }

  /** Ends those that have not finished their handshake. */
  close(): void {
    for (const socket of this.#pending) socket.destroy();
  }

  /** TypeScript knows no undefined here, Node does: then the server's own context stays. */
  #contextFor(name: string): SecureContext {
    return contextFor(name, this.#contexts) as SecureContext;
  }

  /** Looks at the first byte. Whoever leaves before it (health checks, scanners) has cost nothing, and is not noted. */
  #awaitHello(socket: Socket): void {
    const leave = (): void => {
      socket.setTimeout(0);
      socket.off("readable", look).off("end", give).off("timeout", give);
    };
    const look = (): void => {
      const bytes: Buffer | null = socket.read();
      if (!bytes) return;
      leave();
      this.#begin(socket, bytes);
    };
    const give = (): void => void socket.destroy();
    socket.on("readable", look).on("end", give).on("timeout", give);
    socket.setTimeout(this.#options.settings.handshakeTimeout);
  }

  #begin(socket: Socket, bytes: Buffer): void {
    if (beginsLikeHttp(bytes)) return this.#answer(socket, SPEAKS_HTTP);
    // Whoever ends its side within the handshake has left; afterwards it may still be answered.
    socket.allowHalfOpen = false;
    // The handshake reads what was put back before it reads on.
    socket.unshift(bytes);
    // Asked for now: of a connection that has failed the system knows nothing any more.
    socketAddressesOf(socket);
    this.#server.emit("connection", socket);
  }

  #secured(socket: TLSSocket): void {
    if (socket.destroyed) return;
    const { accept, settings } = this.#options;
    const carrier = transportOf(socket) ?? socket;
    copyAddresses(carrier, socket);
    forgetWhenClosed(socket);
    socket.allowHalfOpen = true;
    const asks = settings.clientCertificates !== "off";
    const { client } = setTlsFacts(socket, asks);
    if (settings.clientCertificates === "require" && client?.error !== "")
      return this.#forbid(socket, client?.error);
    this.#pending.delete(carrier);
    accept(socket);
  }

  /** `why` the client's certificate is not trusted; undefined: it has none. */
  #forbid(socket: TLSSocket, why: string | undefined): void {
    const message =
      why === undefined
        ? "the client showed no certificate"
        : `the client's certificate is not trusted: ${why}`;
    const error = new SallyportError("FORBIDDEN", message);
    if (socket.alpnProtocol !== "h2") return this.#answer(socket, error);
    this.#log(socket, error.message, error.code);
    resetSocket(socket);
  }

  #answer(socket: Socket, error: SallyportError): void {
    this.#log(socket, error.message, error.code);
    answerPlainly(socket, error, this.#options.settings.handshakeTimeout);
  }

  #failed(error: Error, socket: TLSSocket): void {
    const { code = "", reason, message } = error as NodeJS.ErrnoException & { reason?: string };
    this.#log(transportOf(socket) ?? socket, `handshake failed: ${FAILURES[code] ?? reason ?? message}`);
    socket.destroy();
  }

  #refuse(socket: Socket): void {
    this.#log(socket, "the limit of handshakes at once is reached");
    socket.on("error", () => {});
    socket.destroy();
  }

  #log(socket: Socket, message: string, code?: string): void {
    const remote = socketAddressesOf(socket).remote.address;
    this.#options.log.info(`TLS: ${message}`, { code, fault: "client", remote });
  }
}

/** Where Node's words are for programmers; otherwise those of OpenSSL are told. */
const FAILURES: Readonly<Record<string, string>> = {
  ECONNRESET: "the client left",
  ERR_TLS_HANDSHAKE_TIMEOUT: "it took too long",
};

const SPEAKS_HTTP = new SallyportError(
  "BAD_REQUEST",
  "this port speaks HTTPS, and the request came without TLS",
);
