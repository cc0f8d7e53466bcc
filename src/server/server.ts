// Puts the server together: gateways behind routes behind listeners at their addresses, started in this order and stopped
// in phases in the reverse order.
import type { Socket } from "node:net";
import { resolve } from "node:path";
import type { ListenAddress } from "../config/address.ts";
import type { AppSettings, Config, Settings } from "../config/config.ts";
import { checkConfig } from "../config/errors.ts";
import type { Protocol } from "../config/protocols.ts";
import { disk } from "../exchange/disk.ts";
import {
  type ErrorName,
  type Exchange,
  type Gateway,
  type Handler,
  type Listener,
  type Log,
  Reloads,
  Running,
  SallyportError,
} from "../exchange/index.ts";
import { lint } from "../exchange/lint.ts";
import { AccessLog } from "../logs/access.ts";
import { serverLog } from "../logs/log.ts";
import { descriptorSink, fileSink, type LineSink } from "../logs/sinks.ts";
import { aFunction, aLog, anObject, aText, type Checks, checkOptions } from "../options/checks.ts";
import { descriptors, takesReserve } from "../sockets/descriptors.ts";
import { resetSocket } from "../sockets/reset.ts";
import { openFilesLimit, warnOfDescriptors } from "./descriptors.ts";
import { Encryption } from "./encryption.ts";
import { gatewayOf } from "./gateways.ts";
import { type Bound, bind } from "./listen.ts";
import { listenerOf } from "./listeners.ts";
import { Proxies } from "./proxies.ts";
import { type Route, Routes } from "./routes.ts";

export interface ServerOptions {
  /** Relative paths of the configuration start here; the working directory otherwise. */
  readonly directory?: string;
  /** Replaces the log that the configuration describes. */
  readonly log?: Log;
  /** Called first with each connection. */
  readonly accepted?: (socket: Socket) => void;
  /** The applications are being worked on. */
  readonly development?: Development;
}

/** What stands around applications while they are being developed. */
export interface Development {
  /** The gateway of an app; `make` gives its own, a new one at each call. */
  gateway(name: string, app: AppSettings, log: Log, make: () => Promise<Gateway>): Gateway;
  /** A query for the URL of a module, by which it and its imports are loaded anew. */
  moduleVersion(): string;
}

export interface Server {
  readonly log: Log;
  /** Starts the apps, then listens. Resolves with the URLs; rejects with a SallyportError and leaves nothing behind. */
  start(): Promise<readonly string[]>;
  /**
   * Answers the one request for which a web server started this process as a CGI program, without listening. Stops the
   * apps, too, and resolves with the exit code. Never rejects: a failure becomes the response. `nph`: the web server adds
   * nothing to it.
   */
  answerCgi(nph?: boolean): Promise<number>;
  /**
   * Starts new generations of the apps that can have one, and reads certificates again. One reload at a time: a request
   * during one causes another after it. Rejects with all failures; what failed stays as it was.
   */
  reload(): Promise<void>;
  /** Where it listens. */
  readonly urls: readonly string[];
  /** Opens log files anew, after log rotation has moved them away. */
  reopenLogs(): void;
  /**
   * Accepts no more, and ends each connection with its next response, which says so, so that no request is lost to a
   * closed connection. Then `stop` it.
   */
  leave(): Promise<void>;
  /** Stops in phases; requests under way have `grace` milliseconds (the configuration's otherwise). Never rejects. */
  stop(grace?: number): Promise<void>;
}

/** A server of this configuration, not started yet. Throws CONFIG_INVALID. */
export const createServer = (config: Config, options: ServerOptions = {}): Server => {
  checkOptions("createServer()", options, CHECKS, '{ directory: "/srv/site" }');
  return serverOf(checkConfig(config), options);
};

const CHECKS: Checks<ServerOptions> = {
  directory: aText,
  log: aLog,
  accepted: aFunction,
  development: anObject,
};

/** A server of settings that have been checked. */
export const serverOf = (settings: Settings, options: ServerOptions = {}): Server =>
  new GatewayServer(settings, options);

/** In tests the contract of the exchange is checked while it runs; what breaks it ends the process. */
const checked = (gateway: Gateway): Gateway => (process.env.SALLYPORT_LINT === "1" ? lint(gateway) : gateway);
/** An embedded application may close descriptors of this process, so that nothing must be loaded while it starts. */
const hasEmbedded = ({ apps }: Settings): boolean =>
  Object.values(apps).some((app) => "mode" in app && app.mode === "embedded");
/** Milliseconds for workers to end by themselves even when the requests under way took all of the grace. */
const LEAST_GRACE = 1000;

class GatewayServer implements Server {
  readonly log: Log;
  readonly #settings: Settings;
  readonly #directory: string;
  readonly #accepted: ServerOptions["accepted"];
  readonly #development: Development | undefined;
  readonly #gateways = new Map<string, Gateway>();
  readonly #running = new Running();
  /** Made when the apps have started. */
  #routes = new Routes([], this.#gateways);
  /** One for each protocol, for all of its addresses. */
  readonly #listeners = new Map<Protocol, Listener>();
  readonly #logSink: LineSink | undefined;
  readonly #proxies: Proxies;
  readonly #encryption: Encryption;
  readonly #reloads = new Reloads(() => this.#reload());
  #bound: Bound[] = [];
  #starting: Promise<readonly string[]> | undefined;
  #access: AccessLog | undefined;
  #stopping: Promise<void> | undefined;

  constructor(settings: Settings, { directory = process.cwd(), log, accepted, development }: ServerOptions) {
    this.#settings = settings;
    this.#directory = directory;
    this.#accepted = accepted;
    this.#development = development;
    this.#logSink = log ? undefined : descriptorSink(2);
    this.log = log ?? serverLog({ ...settings.log, sink: this.#logSink as LineSink });
    this.#proxies = new Proxies(settings, this.log);
    this.#encryption = new Encryption(directory, this.log);
  }

  start(): Promise<readonly string[]> {
    this.#starting = this.#start();
    return this.#starting;
  }

  async #start(): Promise<readonly string[]> {
    try {
      for (const line of this.#settings.renamed ?? []) this.log.warn(line);
      disk.limit = this.#settings.limits.temporary;
      descriptors.limit = openFilesLimit() ?? Number.POSITIVE_INFINITY;
      warnOfDescriptors(this.log, this.#settings.limits.connections);
      await this.#openAccessLog(this.#settings.log.access);
      const gateways = this.#makeGateways();
      // The listeners are loaded while the apps start, mostly in processes of their own.
      const listeners = Promise.allSettled(gateways.values()).then(() => this.#makeListeners());
      if (hasEmbedded(this.#settings)) await listeners;
      await Promise.all([this.#startGateways(gateways), listeners]);
      for (const address of this.#settings.listen) await this.#listen(address);
    } catch (error) {
      await this.stop(0);
      throw SallyportError.from(error);
    }
    return this.urls;
  }

  get urls(): readonly string[] {
    return this.#bound.map(({ url }) => url);
  }

  async answerCgi(nph = false): Promise<number> {
    const { serveCgi } = await import("../protocols/cgi/listener.ts");
    const { log, limits } = this.#settings;
    const ready = this.#startForCgi(log.access);
    ready.catch(() => {}); // the handler reports it, if there is a request at all
    const handler = (exchange: Exchange): void => {
      ready.then(
        () => this.#handler()(exchange),
        (error) => exchange.fail(SallyportError.from(error)),
      );
    };
    const code = await serveCgi({ handler, log: this.log, maxBody: limits.body, nph });
    await this.stop();
    return code;
  }

  reload(): Promise<void> {
    return this.#reloads.ask();
  }

  async #reload(): Promise<void> {
    // An app that is starting may have been read before it was changed; start() reports why one could not start.
    await this.#starting?.catch(() => {});
    if (this.#stopping) return;
    const reloads = [...this.#gateways].map(async ([name, gateway]) => {
      if (await this.#running.reload(gateway)) this.log.info(`app ${name} was reloaded`);
    });
    const results = await Promise.allSettled([...reloads, this.#encryption.reload()]);
    throwFailures("reloaded", [...this.#gateways.keys(), "the certificates"], results);
  }

  reopenLogs(): void {
    this.#access?.reopen();
  }

  async leave(): Promise<void> {
    await Promise.all(this.#bound.map((bound) => bound.close()));
    for (const listener of this.#listeners.values()) listener.leave?.();
    for (const gateway of this.#gateways.values()) gateway.leave?.();
  }

  stop(grace: number = this.#settings.grace): Promise<void> {
    this.#stopping ??= this.#stop(grace);
    return this.#stopping;
  }

  /** Called by listeners. Composed once of the parts that this configuration uses, so that the others cost nothing. */
  #handler(): Handler {
    const admit = this.#admission();
    return this.#access?.logging(admit) ?? admit;
  }

  /** Applies the headers of trusted proxies, if there are any, before it dispatches. */
  #admission(): (exchange: Exchange) => string | undefined {
    const { applyForwarded } = this.#proxies;
    if (!applyForwarded) return (exchange) => this.#dispatch(exchange);
    return (exchange) => {
      try {
        applyForwarded(exchange);
      } catch (error) {
        exchange.fail(SallyportError.from(error));
        return undefined;
      }
      return this.#dispatch(exchange);
    };
  }

  /** Gives the exchange to its app, and returns the app's name; an exchange without a route fails. */
  #dispatch(exchange: Exchange): string | undefined {
    try {
      const route = this.#routes.match(exchange);
      route.gateway.handle(exchange);
      return route.app;
    } catch (error) {
      exchange.fail(SallyportError.from(error));
      return undefined;
    }
  }

  async #listen(address: ListenAddress): Promise<void> {
    const listener = this.#listeners.get(address.protocol) as Listener;
    const place =
      address.kind === "unix" ? { ...address, path: resolve(this.#directory, address.path) } : address;
    const accept = await this.#acceptAt(address, listener);
    this.#throwIfStopping();
    this.#bound.push(await bind(place, accept));
  }

  /** A PROXY header comes before TLS, TLS before the protocol. */
  async #acceptAt(address: ListenAddress, listener: Listener): Promise<(socket: Socket) => void> {
    const { tls } = address;
    const serve = (socket: Socket): void => listener.accept(socket);
    const index = this.#settings.listen.indexOf(address);
    const decrypt = tls ? await this.#encryption.acceptAt(tls, index, serve) : serve;
    const accept = unlessScarce(address, this.#proxies.acceptAt(address, decrypt));
    const accepted = this.#accepted;
    if (!accepted) return accept;
    return (socket) => {
      accepted(socket);
      accept(socket);
    };
  }

  async #makeListeners(): Promise<void> {
    const { listen, limits } = this.#settings;
    const handler = this.#handler();
    for (const protocol of new Set(listen.map((address) => address.protocol))) {
      this.#throwIfStopping();
      this.#listeners.set(protocol, await listenerOf(protocol, { handler, log: this.log, limits }));
    }
  }

  /** Standard output carries the response: there is no access log there. */
  async #startForCgi(access: string | undefined): Promise<void> {
    if (access !== "-") await this.#openAccessLog(access);
    await this.#startGateways(this.#makeGateways());
  }

  async #openAccessLog(access: string | undefined): Promise<void> {
    if (access === undefined || access === "off") return;
    const report = (message: string): void => this.log.warn(message);
    const sink =
      access === "-" ? descriptorSink(1, report) : await fileSink(resolve(this.#directory, access), report);
    this.#access = new AccessLog(sink);
  }

  /** A gateway for each app, by its name. */
  #makeGateways(): Map<string, Promise<Gateway>> {
    const { apps } = this.#settings;
    return new Map(Object.entries(apps).map(([name, app]) => [name, this.#makeGateway(name, app)]));
  }

  async #startGateways(gateways: ReadonlyMap<string, Promise<Gateway>>): Promise<void> {
    const starts = Array.from(gateways, ([name, gateway]) => this.#startGateway(name, gateway));
    const results = await Promise.allSettled(starts);
    this.#throwIfStopping();
    throwFailures("started", [...gateways.keys()], results);
    const routed = [...this.#gateways].map(([name, gateway]) => [name, checked(gateway)] as const);
    this.#routes = new Routes(routesOf(this.#settings), new Map(routed));
  }

  async #makeGateway(name: string, app: AppSettings): Promise<Gateway> {
    const make = (): Promise<Gateway> => this.#gatewayOf(app);
    return this.#development?.gateway(name, app, this.log, make) ?? make();
  }

  #gatewayOf(app: AppSettings): Promise<Gateway> {
    const dispatch = (exchange: Exchange): void => void this.#dispatch(exchange);
    return gatewayOf(app, {
      directory: this.#directory,
      log: this.log,
      maxBody: this.#settings.limits.body,
      serverProcesses: this.#settings.serverProcesses,
      dispatch,
      moduleVersion: this.#development ? () => (this.#development as Development).moduleVersion() : () => "",
    });
  }

  async #startGateway(name: string, made: Promise<Gateway>): Promise<void> {
    const gateway = await made;
    this.#throwIfStopping();
    this.#gateways.set(name, gateway);
    await this.#running.start(gateway);
  }

  #throwIfStopping(): void {
    if (this.#stopping) throw new SallyportError("STOPPING", "the server was stopped while it started");
  }

  async #stop(grace: number): Promise<void> {
    const deadline = performance.now() + grace;
    const left = () => Math.max(0, deadline - performance.now());
    this.log.debug("stopping: no more connections are accepted");
    // Half of the grace for accepting: the connections accepted last must be answered, too.
    await Promise.all(this.#bound.map((bound) => bound.close(grace / 2)));
    this.#proxies.close();
    this.#encryption.close();
    this.#running.leave();
    await Promise.all([...this.#listeners.values()].map((listener) => listener.close(left())));
    this.log.debug("stopping: the apps end");
    const patience = grace === 0 ? 0 : Math.max(LEAST_GRACE, left());
    await this.#running.close(patience);
    await this.#access?.close();
    await this.#logSink?.close();
  }
}

/** Before TLS or a PROXY header a client could not read a refusal, so its connection is reset; elsewhere the listener refuses it. */
function unlessScarce(
  { tls, proxyProtocol }: ListenAddress,
  accept: (socket: Socket) => void,
): typeof accept {
  if (!tls && !proxyProtocol) return accept;
  return (socket) => {
    if (takesReserve(socket)) resetSocket(socket);
    else accept(socket);
  };
}

/** Without routes the only app answers everything. */
function routesOf({ routes, apps }: Settings): readonly Route[] {
  return routes ?? Object.keys(apps).map((app) => ({ app }));
}

/** Throws the only failure, or one error that lists all of them by the names of their parts. */
function throwFailures(
  what: "started" | "reloaded",
  names: readonly string[],
  results: readonly PromiseSettledResult<unknown>[],
): void {
  const failures = results.flatMap((result, i) =>
    result.status === "rejected" ? [{ name: names[i], error: SallyportError.from(result.reason) }] : [],
  );
  const [first, second] = failures;
  if (!first) return;
  if (!second) throw first.error;
  const lines = failures.map(({ name, error: { message, code, detail } }) =>
    [`${name}: ${message} [${code}]`, detail ?? []].flat().join("\n"),
  );
  const message = `${failures.length} apps could not be ${what}: ${failures.map(({ name }) => name).join(", ")}`;
  const kind = first.error.code.replace("ERR_SALLYPORT_", "") as ErrorName;
  throw new SallyportError(kind, message, { cause: first.error, detail: lines.join("\n") });
}
