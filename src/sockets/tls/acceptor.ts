// Accepts TLS connections: passes the decrypted connection on to the listener of the protocol within.
import type { Socket } from "node:net";
import { createServer, type SecureContext, type Server, type TLSSocket } from "node:tls";
import { type Log, SallyportError } from "../../exchange/index.ts";
import { timerDelay } from "../../exchange/wait.ts";
import { copyAddresses, socketAddressesOf } from "../addresses.ts";
import { forgetWhenClosed } from "../closed.ts";
import { untilNone } from "../pending.ts";
import { resetSocket } from "../reset.ts";
import { transportOf } from "../transport.ts";
import { setTlsFacts } from "./facts.ts";
import { answerPlainly, beginsLikeHttp } from "./plain.ts";
import { contextFor, type SecureContexts } from "./secure-contexts.ts";
import type { TlsSettings } from "./settings.ts";

export interface TlsAcceptorOptions {
  /** Gets the decrypted connection; `tlsFactsOf` and `connectionFactsOf` have its facts. */
  readonly accept: (socket: Socket) => void;
  readonly contexts: SecureContexts;
  readonly settings: Pick<TlsSettings, "clientCertificates" | "handshakeTimeout" | "handshakes">;
  /** The protocols within TLS, the preferred first (ALPN, RFC 7301). */
  readonly protocols: readonly string[];
  readonly log: Log;
}

export class TlsAcceptor {
  readonly #options: TlsAcceptorOptions;
  readonly #server: Server;
  /** Connections from their start until they are accepted, or refused and closed. */
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
      // A client without a certificate gets an answer that says so, which needs a finished handshake.
      rejectUnauthorized: false,
      handshakeTimeout: timerDelay(settings.handshakeTimeout),
    });
    // Not at once: a connection must not be touched within the callbacks of its own handshake.
    this.#server.on("secureConnection", (socket) => {
      socket.on("error", () => {});
      setImmediate(() => this.#secured(socket));
    });
    this.#server.on("tlsClientError", (error, socket) => this.#failed(error, socket));
  }

  /** Takes over a connection that is unread, or whose bytes have been put back. */
  accept(socket: Socket): void {
    if (this.#pending.size >= this.#options.settings.handshakes) return this.#refuse(socket);
    this.#pending.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#pending.delete(socket));
    this.#awaitHello(socket);
  }

  /** For new connections from now on; earlier sessions cannot be resumed. */
  setContexts(contexts: SecureContexts): void {
    this.#contexts = contexts;
    this.#server.setSecureContext(contexts.first);
  }

  /** Ends the connections that have not finished their handshake `patience` milliseconds from now. */
  async close(patience: number): Promise<void> {
    await untilNone(this.#pending, patience);
    for (const socket of this.#pending) socket.destroy();
  }

  /** For undefined, which only Node's types lack, the server's own context stays. */
  #contextFor(name: string): SecureContext {
    return contextFor(name, this.#contexts) as SecureContext;
  }

  /** Waits for the first byte. A client that leaves before it (health checks, scanners) costs nothing, and is not logged. */
  #awaitHello(socket: Socket): void {
    const stop = (): void => {
      socket.setTimeout(0);
      socket.off("readable", onReadable).off("end", giveUp).off("timeout", giveUp);
    };
    const onReadable = (): void => {
      const bytes: Buffer | null = socket.read();
      if (!bytes) return;
      stop();
      this.#begin(socket, bytes);
    };
    const giveUp = (): void => void socket.destroy();
    socket.on("readable", onReadable).on("end", giveUp).on("timeout", giveUp);
    socket.setTimeout(timerDelay(this.#options.settings.handshakeTimeout));
  }

  #begin(socket: Socket, bytes: Buffer): void {
    if (beginsLikeHttp(bytes)) return this.#answer(socket, SPEAKS_HTTP);
    // A client that ends its side within the handshake has left; afterwards it can still be answered.
    socket.allowHalfOpen = false;
    // The handshake reads what was put back before it reads on.
    socket.unshift(bytes);
    // Makes Node read the addresses now, and keep them: the system does not know those of a failed connection.
    socketAddressesOf(socket);
    this.#server.emit("connection", socket);
  }

  #secured(socket: TLSSocket): void {
    if (socket.destroyed) return;
    const { accept, settings } = this.#options;
    const transport = transportOf(socket) ?? socket;
    copyAddresses(transport, socket);
    forgetWhenClosed(socket);
    socket.allowHalfOpen = true;
    const asks = settings.clientCertificates !== "off";
    const { client } = setTlsFacts(socket, asks);
    if (settings.clientCertificates === "require" && client?.error !== "")
      return this.#forbid(socket, client?.error);
    this.#pending.delete(transport);
    accept(socket);
  }

  /** `why`: the reason that the client's certificate is not trusted; undefined when it has none. */
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

/** For codes whose message in Node is meant for programmers; otherwise OpenSSL's reason is logged. */
const FAILURES: Readonly<Record<string, string>> = {
  ECONNRESET: "the client left",
  ERR_TLS_HANDSHAKE_TIMEOUT: "it took too long",
};

const SPEAKS_HTTP = new SallyportError(
  "BAD_REQUEST",
  "this port speaks HTTPS, and the request came without TLS",
);
