// Puts the server together: gateways behind routes behind listeners at their addresses, started in this order and stopped
// in phases in the reverse order.
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ListenAddress } from "../config/address.ts";
import type { AppSettings, Config, Settings } from "../config/config.ts";
import { checkConfig } from "../config/errors.ts";
import { disk } from "../exchange/disk.ts";
import {
  type ErrorName,
  type Exchange,
  type Gateway,
  type Log,
  Reloads,
  Running,
  SallyportError,
} from "../exchange/index.ts";
import { lint } from "../exchange/lint.ts";
import { AccessLog } from "../logs/access.ts";
import { serverLog } from "../logs/log.ts";
import { descriptorSink, fileSink, type LineSink } from "../logs/sinks.ts";
import { newVersion } from "../modules/versions.ts";
import { aFunction, aLog, anObject, aText, type Checks, checkOptions } from "../options/checks.ts";
import { descriptors } from "../sockets/descriptors.ts";
import { type App, Change, placeKeys } from "./change.ts";
import { openFilesLimit, warnOfDescriptors } from "./descriptors.ts";
import { type Accept, Frontend, sharesFrontend } from "./frontend.ts";
import { gatewayOf } from "./gateways.ts";
import type { Server, ServerOptions } from "./interface.ts";
import { type Bound, bind } from "./listen.ts";
import { refuseAccount } from "./privileges.ts";
import { type Route, Routes } from "./routes.ts";

export type { Development, Server, ServerOptions } from "./interface.ts";

/** A server of this configuration, not started yet. Throws CONFIG_INVALID. */
export const createServer = (config: Config, options: ServerOptions = {}): Server => {
  checkOptions("createServer()", options, CHECKS, '{ directory: "/srv/site" }');
  const settings = checkConfig(config);
  refuseAccount(settings);
  return serverOf(settings, options);
};

const CHECKS: Checks<ServerOptions> = {
  directory: aText,
  log: aLog,
  accepted: aFunction,
  development: anObject,
  reread: aFunction,
  beforeApps: aFunction,
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

/** A socket that listens, and what its connections are given to: after a reload that may be another frontend. */
interface Door {
  readonly bound: Bound;
  accept: Accept;
}

type Apps = ReadonlyMap<string, App>;
type Doors = ReadonlyMap<string, Door>;

/** All that a reload may replace. */
interface Parts {
  readonly settings: Settings;
  readonly apps: Apps;
  readonly frontend: Frontend;
  readonly access: AccessLog | undefined;
  /** By `placeKeys`. */
  readonly doors: Doors;
}

class GatewayServer implements Server {
  readonly log: Log;
  readonly #options: ServerOptions;
  readonly #directory: string;
  readonly #logSink: LineSink | undefined;
  readonly #reloads = new Reloads(() => this.#reload());
  #parts: Parts;
  /** Made when the apps have started. */
  #routes = new Routes([], new Map());
  #ownLog: Log | undefined;
  /** Apps that have not been closed, those of a reload under way among them. */
  readonly #open = new Set<App>();
  /** Parts whose frontends reloads have replaced, until their connections have ended. */
  readonly #retired = new Set<Parts>();
  #starting: Promise<readonly string[]> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(settings: Settings, options: ServerOptions) {
    this.#options = options;
    this.#directory = options.directory ?? process.cwd();
    this.#logSink = options.log ? undefined : descriptorSink(2);
    this.log = options.log ?? this.#switchableLog(settings);
    const frontend = this.#makeFrontend(settings, undefined);
    this.#parts = { settings, apps: new Map(), frontend, access: undefined, doors: new Map() };
  }

  start(): Promise<readonly string[]> {
    this.#starting = this.#start();
    return this.#starting;
  }

  async #start(): Promise<readonly string[]> {
    const { settings } = this.#parts;
    try {
      this.#applyLimits(settings);
      await this.#useAccessLog(settings.log.access);
      const { beforeApps } = this.#options;
      if (beforeApps) await this.#parts.frontend.prepare(() => this.#throwIfStopping()).then(beforeApps);
      const gateways = this.#makeGateways(settings, Object.keys(settings.apps));
      // The listeners are loaded while the apps start, mostly in processes of their own.
      const { frontend } = this.#parts;
      const listeners = Promise.allSettled(gateways.values()).then(() => this.#makeListeners(frontend));
      if (hasEmbedded(settings)) await listeners;
      const [apps] = await Promise.all([this.#startApps(settings, gateways), listeners]);
      this.#take({ ...this.#parts, apps });
      for (const [i, key] of placeKeys(settings.listen).entries())
        await this.#listen(key, settings.listen[i] as ListenAddress);
    } catch (error) {
      await this.stop(0);
      throw SallyportError.from(error);
    }
    return this.urls;
  }

  get urls(): readonly string[] {
    return [...this.#parts.doors.values()].map(({ bound }) => bound.url);
  }

  async answerCgi(nph = false): Promise<number> {
    const { serveCgi } = await import("../protocols/cgi/listener.ts");
    const { settings } = this.#parts;
    const ready = this.#startForCgi(settings);
    ready.catch(() => {}); // the handler reports it, if there is a request at all
    const handler = (exchange: Exchange): void => {
      ready.then(
        () => this.#parts.frontend.handler()(exchange),
        (error) => exchange.fail(SallyportError.from(error)),
      );
    };
    const code = await serveCgi({ handler, log: this.log, maxBody: settings.limits.body, nph });
    await this.stop();
    return code;
  }

  reload(): Promise<void> {
    return this.#reloads.ask();
  }

  reopenLogs(): void {
    this.#parts.access?.reopen();
  }

  async leave(): Promise<void> {
    const { doors, frontend, apps } = this.#parts;
    await Promise.all([...doors.values()].map(({ bound }) => bound.close()));
    frontend.leave();
    for (const { gateway } of apps.values()) gateway.leave?.();
  }

  stop(grace: number = this.#parts.settings.grace): Promise<void> {
    this.#stopping ??= this.#stop(grace);
    return this.#stopping;
  }

  // Reload: all that is new is made first; only then is what was there let go.

  async #reload(): Promise<void> {
    // An app that is starting may have been read before it was changed; start() reports why one could not start.
    await this.#starting?.catch(() => {});
    if (this.#stopping) return;
    const settings = (await this.#options.reread?.()) ?? this.#parts.settings;
    const change = new Change(settings);
    try {
      const next = await this.#partsFor(settings, change);
      this.#throwIfStopping();
      const before = this.#parts;
      this.#applyLimits(settings);
      this.#take(next);
      this.#retire(before);
    } catch (error) {
      await change.undo();
      throw error;
    }
  }

  async #partsFor(settings: Settings, change: Change): Promise<Parts> {
    const apps = await this.#appsFor(settings, change);
    const front = await this.#frontendFor(settings, change);
    const doors = await this.#doorsFor(settings, front.frontend, change);
    await this.#renew([...apps].filter(([name, app]) => this.#parts.apps.get(name) === app));
    return { settings, apps, ...front, doors };
  }

  /** Apps that are new, or other than before, are started. */
  async #appsFor(settings: Settings, change: Change): Promise<Apps> {
    const { apps } = this.#parts;
    const names = Object.keys(settings.apps);
    const fresh = names.filter((name) => !change.keeps(name, apps.get(name)));
    const started = await this.#startApps(settings, this.#makeGateways(settings, fresh), change);
    return new Map(names.map((name) => [name, (started.get(name) ?? apps.get(name)) as App]));
  }

  async #frontendFor(settings: Settings, change: Change): Promise<Pick<Parts, "frontend" | "access">> {
    const { frontend, access } = this.#parts;
    if (sharesFrontend(this.#parts.settings, settings)) return { frontend, access };
    const newAccess = await this.#openAccessLog(settings.log.access);
    change.made(() => newAccess?.close());
    const made = this.#makeFrontend(settings, newAccess);
    change.made(() => made.close(0));
    await this.#makeListeners(made);
    return { frontend: made, access: newAccess };
  }

  /** Sockets that listen already stay open; they change hands once all others have been opened. */
  async #doorsFor(settings: Settings, frontend: Frontend, change: Change): Promise<Doors> {
    const { doors: present, frontend: before } = this.#parts;
    if (frontend === before) return present;
    const accepts: Accept[] = [];
    for (const address of settings.listen) accepts.push(await this.#acceptAt(frontend, address));
    const doors = new Map<string, Door>();
    for (const [i, key] of placeKeys(settings.listen).entries()) {
      const kept = present.get(key);
      const door = kept ?? (await this.#openDoor(settings.listen[i] as ListenAddress, accepts[i] as Accept));
      if (!kept) change.made(() => door.bound.close());
      doors.set(key, door);
    }
    for (const [i, door] of [...doors.values()].entries()) handOver(door, accepts[i] as Accept, change);
    return doors;
  }

  /** New generations of apps that stay, and certificates as their files are now. Rejects with all failures. */
  async #renew(kept: readonly (readonly [string, App])[]): Promise<void> {
    const renewals = kept.map(async ([name, { running, gateway }]) => {
      if (await running.reload(gateway)) this.log.info(`app ${name} was reloaded`);
    });
    const certificates = this.#parts.frontend.reloadCertificates();
    const results = await Promise.allSettled([...renewals, certificates]);
    throwFailures("reloaded", [...kept.map(([name]) => name), "the certificates"], results);
  }

  /** Ends what a reload has replaced: requests under way are finished, within the grace. */
  #retire(before: Parts): void {
    const { grace } = this.#parts.settings;
    const ends = [...this.#retireDoors(before, grace), ...this.#retireApps(before, grace)];
    if (before.frontend !== this.#parts.frontend) ends.push(this.#retireFrontend(before, grace));
    void Promise.allSettled(ends);
  }

  #retireDoors({ doors }: Parts, grace: number): Promise<void>[] {
    const present = this.#parts.doors;
    for (const [key, { bound }] of present)
      if (!doors.has(key)) this.log.info(`listening on ${bound.url}, too`);
    const closed = [...doors].filter(([key]) => !present.has(key));
    for (const [, { bound }] of closed) this.log.info(`no longer listening on ${bound.url}`);
    return closed.map(([, { bound }]) => bound.close(grace / 2));
  }

  #retireApps({ apps }: Parts, grace: number): Promise<void>[] {
    const present = this.#parts.apps;
    const gone = [...apps].filter(([name, app]) => present.get(name) !== app);
    for (const [name] of gone) this.log.info(`app ${name} was ${present.has(name) ? "replaced" : "removed"}`);
    return gone.map(([, app]) => this.#closeApp(app, grace));
  }

  /**
   * Each connection ends with its next response, which says so. One that stays idle is left open for the grace: closed at
   * once, it might meet the client's next request.
   */
  async #retireFrontend(before: Parts, grace: number): Promise<void> {
    before.frontend.leave();
    this.#retired.add(before);
    await delay(grace, undefined, { ref: false });
    if (this.#stopping) return; // which closes it
    this.#retired.delete(before);
    await closeFrontend(before, grace);
  }

  /** From now on requests go to these parts. */
  #take(parts: Parts): void {
    this.#parts = parts;
    const gateways = [...parts.apps].map(([name, { gateway }]) => [name, checked(gateway)] as const);
    this.#routes = new Routes(routesOf(parts.settings), new Map(gateways));
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

  // Sockets.

  #makeFrontend(settings: Settings, access: AccessLog | undefined): Frontend {
    const dispatch = (exchange: Exchange): string | undefined => this.#dispatch(exchange);
    return new Frontend({ settings, access, dispatch, directory: this.#directory, log: this.log });
  }

  #makeListeners(frontend: Frontend): Promise<void> {
    return frontend.makeListeners(() => this.#throwIfStopping());
  }

  async #listen(key: string, address: ListenAddress): Promise<void> {
    const accept = await this.#acceptAt(this.#parts.frontend, address);
    this.#throwIfStopping();
    const door = await this.#openDoor(address, accept);
    this.#parts = { ...this.#parts, doors: new Map(this.#parts.doors).set(key, door) };
  }

  async #openDoor(address: ListenAddress, accept: Accept): Promise<Door> {
    const place =
      address.kind === "unix" ? { ...address, path: resolve(this.#directory, address.path) } : address;
    const door: { bound?: Bound; accept: Accept } = { accept };
    door.bound = await bind(place, (socket) => door.accept(socket));
    return door as Door;
  }

  async #acceptAt(frontend: Frontend, address: ListenAddress): Promise<Accept> {
    const accept = await frontend.acceptAt(address);
    const { accepted } = this.#options;
    if (!accepted) return accept;
    return (socket) => {
      accepted(socket);
      accept(socket);
    };
  }

  #applyLimits({ limits, log, renamed = [] }: Settings): void {
    if (this.#logSink) this.#ownLog = serverLog({ ...log, sink: this.#logSink });
    for (const line of renamed) this.log.warn(line);
    disk.limit = limits.temporary;
    descriptors.limit = openFilesLimit() ?? Number.POSITIVE_INFINITY;
    warnOfDescriptors(this.log, limits.connections);
  }

  /** A log whose level and format a reload may change. */
  #switchableLog({ log }: Settings): Log {
    this.#ownLog = serverLog({ ...log, sink: this.#logSink as LineSink });
    const at =
      (level: keyof Log): Log[keyof Log] =>
      (message, fields) =>
        this.#ownLog?.[level](message, fields);
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  }

  async #useAccessLog(access: string | undefined): Promise<void> {
    const log = await this.#openAccessLog(access);
    const { settings } = this.#parts;
    this.#parts = { ...this.#parts, access: log, frontend: this.#makeFrontend(settings, log) };
  }

  async #openAccessLog(access: string | undefined): Promise<AccessLog | undefined> {
    if (access === undefined || access === "off") return undefined;
    const report = (message: string): void => this.log.warn(message);
    const sink =
      access === "-" ? descriptorSink(1, report) : await fileSink(resolve(this.#directory, access), report);
    return new AccessLog(sink);
  }

  // Apps.

  /** Standard output carries the response: there is no access log there. */
  async #startForCgi(settings: Settings): Promise<void> {
    const { access } = settings.log;
    if (access !== "-") await this.#useAccessLog(access);
    const gateways = this.#makeGateways(settings, Object.keys(settings.apps));
    this.#take({ ...this.#parts, apps: await this.#startApps(settings, gateways) });
  }

  #makeGateways(settings: Settings, names: readonly string[]): Map<string, Promise<Gateway>> {
    return new Map(
      names.map((name) => [name, this.#makeGateway(name, settings.apps[name] as AppSettings, settings)]),
    );
  }

  async #makeGateway(name: string, app: AppSettings, settings: Settings): Promise<Gateway> {
    const make = (): Promise<Gateway> => this.#gatewayOf(app, settings);
    return this.#options.development?.gateway(name, app, this.log, make) ?? make();
  }

  #gatewayOf(app: AppSettings, { limits, serverProcesses }: Settings): Promise<Gateway> {
    const isAgain = this.#options.development !== undefined || this.#parts.apps.size > 0;
    return gatewayOf(app, {
      directory: this.#directory,
      log: this.log,
      maxBody: limits.body,
      serverProcesses,
      dispatch: (exchange) => void this.#dispatch(exchange),
      moduleVersion: isAgain ? newVersion : () => "",
    });
  }

  /** Rejects with all failures. */
  async #startApps(
    settings: Settings,
    gateways: ReadonlyMap<string, Promise<Gateway>>,
    change?: Change,
  ): Promise<Apps> {
    const starts = Array.from(gateways, async ([name, made]): Promise<[string, App]> => {
      const app = {
        settings: settings.apps[name] as AppSettings,
        gateway: await made,
        running: new Running(),
      };
      this.#throwIfStopping();
      this.#open.add(app);
      change?.made(() => this.#closeApp(app, 0));
      await app.running.start(app.gateway);
      return [name, app];
    });
    const results = await Promise.allSettled(starts);
    this.#throwIfStopping();
    throwFailures("started", [...gateways.keys()], results);
    return new Map(results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : [])));
  }

  async #closeApp(app: App, grace: number): Promise<void> {
    await app.running.close(grace);
    this.#open.delete(app);
  }

  #throwIfStopping(): void {
    if (this.#stopping) throw new SallyportError("STOPPING", "the server was stopped while it started");
  }

  async #stop(grace: number): Promise<void> {
    const deadline = performance.now() + grace;
    const left = () => Math.max(0, deadline - performance.now());
    this.log.debug("stopping: no more connections are accepted");
    // Half of the grace for accepting: the connections accepted last must be answered, too.
    await Promise.all([...this.#parts.doors.values()].map(({ bound }) => bound.close(grace / 2)));
    for (const { running } of this.#open) running.leave();
    const retired = [...this.#retired].map((before) => closeFrontend(before, left()));
    await Promise.all([this.#parts.frontend.close(left()), ...retired]);
    this.log.debug("stopping: the apps end");
    const patience = grace === 0 ? 0 : Math.max(LEAST_GRACE, left());
    await Promise.all([...this.#open].map((app) => this.#closeApp(app, patience)));
    await this.#parts.access?.close();
    await this.#logSink?.close();
  }
}

async function closeFrontend({ frontend, access }: Parts, grace: number): Promise<void> {
  await frontend.close(grace);
  await access?.close();
}

function handOver(door: Door, accept: Accept, change: Change): void {
  const before = door.accept;
  door.accept = accept;
  change.made(() => {
    door.accept = before;
  });
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
