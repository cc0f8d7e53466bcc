// What stands between sockets and routes, made of one configuration: PROXY headers, TLS, protocols, what proxies say, the
// access log. A reload with other settings makes another one; connections of the old one end with their next response.
// Tested by test/server/reload.test.ts.
import type { Socket } from "node:net";
import { isDeepStrictEqual } from "node:util";
import type { ListenAddress } from "../config/address.ts";
import type { Settings } from "../config/config.ts";
import type { Protocol } from "../config/protocols.ts";
import {
  type Exchange,
  type Handler,
  type Listener,
  type Load,
  type Log,
  SallyportError,
  totalLoad,
} from "../exchange/index.ts";
import type { Agree } from "../exchange/reloads.ts";
import type { AccessLog } from "../logs/access.ts";
import { besideAccessLog } from "../logs/log.ts";
import type { Counts } from "../metrics/index.ts";
import { takesReserve } from "../sockets/descriptors.ts";
import { LAST_HANDSHAKE } from "../sockets/pending.ts";
import { resetSocket } from "../sockets/reset.ts";
import { Encryption } from "./encryption.ts";
import { listenerOf } from "./listeners.ts";
import { Proxies } from "./proxies.ts";
import { type Telemetry, telemetryOf } from "./telemetry.ts";

export interface FrontendOptions {
  readonly settings: Settings;
  readonly directory: string;
  readonly log: Log;
  readonly access: AccessLog | undefined;
  /** Present where something reads the metrics. */
  readonly counts?: Counts | undefined;
  /** Gives an exchange to its app, and returns the app's name; undefined when there is none. */
  readonly dispatch: (exchange: Exchange) => string | undefined;
}

export type Accept = (socket: Socket) => void;

/** Whether one frontend can serve both: what is not in the apps, the routes and the addresses is the same. */
export function sharesFrontend(one: Settings, other: Settings): boolean {
  const facts = ({ limits, trust, forwarded, log, listen }: Settings): unknown => [
    limits,
    trust,
    forwarded,
    log.access,
    log.accessFormat,
    listen,
  ];
  return isDeepStrictEqual(facts(one), facts(other));
}

export class Frontend {
  readonly #options: FrontendOptions;
  readonly #proxies: Proxies;
  readonly #encryption: Encryption;
  /** One for each protocol, for all of its addresses. */
  readonly #listeners = new Map<Protocol, Listener>();
  /** Present where an SDK of OpenTelemetry is in this process. */
  #telemetry: Telemetry | undefined;
  readonly #prepared = new Map<ListenAddress, Accept>();

  constructor(options: FrontendOptions) {
    this.#options = options;
    this.#proxies = new Proxies(options.settings, options.log);
    this.#encryption = new Encryption(options.directory, options.log);
  }

  /** Loads and makes the listeners; `goOn` is asked before each. */
  async makeListeners(goOn: () => void): Promise<void> {
    const { settings, access } = this.#options;
    const log = access ? besideAccessLog(this.#options.log) : this.#options.log;
    const { listen, limits } = settings;
    this.#telemetry ??= await telemetryOf(log);
    for (const protocol of new Set(listen.map((address) => address.protocol))) {
      goOn();
      if (this.#listeners.has(protocol)) continue;
      const handler = this.handler(protocol);
      this.#listeners.set(protocol, await listenerOf(protocol, { handler, log, limits }));
    }
  }

  /** Loads all, certificates too, that is otherwise loaded when it is needed: before rights are given up. */
  async prepare(goOn: () => void): Promise<void> {
    await this.makeListeners(goOn);
    for (const address of this.#options.settings.listen)
      this.#prepared.set(address, await this.acceptAt(address));
  }

  /** What listeners of `protocol` call: composed of what this configuration asks for, so that nothing else costs anything. */
  handler(protocol: Protocol = "http"): Handler {
    const { access, counts } = this.#options;
    const admission = this.#admission();
    const admit = counts?.counting(admission, protocol) ?? admission;
    return access?.logging(admit) ?? admit;
  }

  /** What to do with connections of `address`: a PROXY header comes before TLS, TLS before the protocol. */
  async acceptAt(address: ListenAddress): Promise<Accept> {
    const prepared = this.#prepared.get(address);
    if (prepared) return prepared;
    const { tls, protocol } = address;
    const listener = this.#listeners.get(protocol) as Listener;
    const serve = (socket: Socket): void => listener.accept(socket);
    const index = this.#options.settings.listen.indexOf(address);
    const decrypt = tls ? await this.#encryption.acceptAt(tls, index, serve) : serve;
    return unlessScarce(address, this.#proxies.acceptAt(address, decrypt));
  }

  /** Reads certificates again. Rejects with CONFIG_INVALID; then all stay as they were. */
  reloadCertificates(agree: Agree): Promise<void> {
    return this.#encryption.reload(agree);
  }

  load(): Load {
    return totalLoad([...this.#listeners.values()].map((listener) => listener.load?.()));
  }

  /** No connection is kept beyond its next response. */
  leave(): void {
    for (const listener of this.#listeners.values()) listener.leave?.();
  }

  /**
   * Connections without a request end, and those that were accepted last have half a second to bring one; requests under way have
   * `grace` milliseconds. Never rejects.
   */
  async close(grace: number): Promise<void> {
    const deadline = performance.now() + grace;
    const left = (most: number): number => Math.max(0, Math.min(most, deadline - performance.now()));
    this.leave();
    // One after the other, as TLS comes after a PROXY header.
    await this.#proxies.close(left(LAST_HANDSHAKE));
    await this.#encryption.close(left(LAST_HANDSHAKE));
    const patience = left(grace);
    await Promise.all([...this.#listeners.values()].map((listener) => listener.close(patience)));
  }

  /** As trusted proxies describe the exchange, if there are any. */
  #admission(): (exchange: Exchange) => string | undefined {
    const { applyForwarded } = this.#proxies;
    const dispatch = this.#telemetry?.tracing(this.#options.dispatch) ?? this.#options.dispatch;
    if (!applyForwarded) return dispatch;
    return (exchange) => {
      try {
        applyForwarded(exchange);
      } catch (error) {
        exchange.fail(SallyportError.from(error));
        return undefined;
      }
      return dispatch(exchange);
    };
  }
}

/** Where the client could not read a refusal yet, its connection is broken off; elsewhere the listener says why. */
function unlessScarce({ tls, proxyProtocol }: ListenAddress, accept: Accept): Accept {
  if (!tls && !proxyProtocol) return accept;
  return (socket) => {
    if (takesReserve(socket)) resetSocket(socket);
    else accept(socket);
  };
}
