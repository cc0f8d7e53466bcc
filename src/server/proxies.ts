// Proxies in front of this server: who is believed, about a connection (PROXY protocol) and about a request (Forwarded,
// X-Forwarded-*).
import type { Socket } from "node:net";
import type { ListenAddress } from "../config/address.ts";
import type { Settings } from "../config/config.ts";
import type { Log } from "../exchange/index.ts";
import { type ApplyForwarded, forwarding } from "../proxies/forwarded.ts";
import { type Trusted, trustOf } from "../proxies/trust.ts";
import { ProxyAcceptor } from "../sockets/proxy-protocol/acceptor.ts";

type Accept = (socket: Socket) => void;

export class Proxies {
  /** Undefined while nobody is trusted: then what is said of a client passes as it came, and counts for nothing. */
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

  /** What to do with the connections of `address`: with a PROXY header, if they have one, and then `accept`. */
  acceptAt({ proxyProtocol = false }: ListenAddress, accept: Accept): Accept {
    if (!proxyProtocol) return accept;
    const { headTimeout, connections } = this.#settings.limits;
    const entrance = new ProxyAcceptor({
      accept,
      // Without a list it is the operator's word that only proxies connect here.
      expects: this.#trusted ?? (() => true),
      log: this.#log,
      timeout: headTimeout,
      most: connections,
    });
    this.#acceptors.push(entrance);
    return (socket) => entrance.accept(socket);
  }

  /** Connections that have said nothing yet end. */
  close(): void {
    for (const entrance of this.#acceptors) entrance.close();
  }
}
