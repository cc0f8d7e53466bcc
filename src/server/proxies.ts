// The proxies in front of this server that are believed, about a connection (PROXY protocol) and about a request
// (Forwarded, X-Forwarded-*).
import type { Socket } from "node:net";
import type { ListenAddress } from "../config/address.ts";
import type { Settings } from "../config/config.ts";
import type { Log } from "../exchange/index.ts";
import { type ApplyForwarded, forwarding } from "../proxies/forwarded.ts";
import { type Trusted, trustOf } from "../proxies/trust.ts";
import { ProxyAcceptor } from "../sockets/proxy-protocol/acceptor.ts";

type Accept = (socket: Socket) => void;

export class Proxies {
  /** Undefined where no peer is trusted: these headers then pass unchanged, and have no effect. */
  readonly applyForwarded: ApplyForwarded | undefined;
  readonly #settings: Settings;
  readonly #log: Log;
  readonly #trusted: Trusted | undefined;
  readonly #acceptors: ProxyAcceptor[] = [];

  constructor(settings: Settings, log: Log) {
    this.#settings = settings;
    this.#log = log;
    this.#trusted = trustOf(settings.trust);
    this.applyForwarded = this.#trusted && forwarding(this.#trusted, settings.forwarded);
  }

  /** A function for the connections of `address`: reads the PROXY header, if they have one, and calls `accept`. */
  acceptAt({ proxyProtocol = false }: ListenAddress, accept: Accept): Accept {
    if (!proxyProtocol) return accept;
    const { headTimeout, connections } = this.#settings.limits;
    const acceptor = new ProxyAcceptor({
      accept,
      // Without a list, the operator guarantees that only proxies connect here.
      expects: this.#trusted ?? (() => true),
      log: this.#log,
      timeout: headTimeout,
      most: connections,
    });
    this.#acceptors.push(acceptor);
    return (socket) => acceptor.accept(socket);
  }

  /** Ends connections whose PROXY header has not arrived `patience` milliseconds from now. */
  async close(patience: number): Promise<void> {
    await Promise.all(this.#acceptors.map((acceptor) => acceptor.close(patience)));
  }
}
