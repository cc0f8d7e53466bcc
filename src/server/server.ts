// Puts the server together: gateways behind routes behind listeners at their addresses, started in this order and stopped
// in phases in the reverse order.
import { resolve } from "node:path";
import type { ListenAddress } from "../config/address.ts";
import type { Settings } from "../config/config.ts";
import { hasEmbedded } from "../config/embedded.ts";
import type { InspectQuestion } from "../control/inspection.ts";
import type { ServerProcessStatus } from "../control/operations.ts";
import { disk } from "../exchange/disk.ts";
import {
  type Exchange,
  type Log,
  type ProcessBounds,
  type ProcessStacks,
  Reloads,
  SallyportError,
  totalLoad,
} from "../exchange/index.ts";
import { lint } from "../exchange/lint.ts";
import { type Agree, together } from "../exchange/reloads.ts";
import { timerDelay } from "../exchange/wait.ts";
import { AccessLog } from "../logs/access.ts";
import { descriptorSink, fileSink } from "../logs/sinks.ts";
import { descriptors } from "../sockets/descriptors.ts";
import { appNamed, appStatus, ScaledApps } from "./app-operations.ts";
import { AppStarter, type Apps } from "./apps.ts";
import { type App, Change, goesOn, placeKeys } from "./change.ts";
import { openFilesLimit, warnOfDescriptors } from "./descriptors.ts";
import { throwFailures } from "./failures.ts";
import { type Accept, Frontend, sharesFrontend } from "./frontend.ts";
import type { Server, ServerInspection, ServerOptions } from "./interface.ts";
import { appInterface } from "./interfaces.ts";
import { type ChangedSockets, changeSockets, openSocket } from "./listening.ts";
import { type Parts, Retirement } from "./retirement.ts";
import { Routes, routesOf } from "./routes.ts";
import { timed } from "./server-timing.ts";
import { type AppSummary, summariesOf } from "./summary.ts";
import { type OwnLog, ownLogOf } from "./switchable-log.ts";
import { warnOfTemporary } from "./temporary.ts";

export type { Development, Server, ServerOptions } from "./interface.ts";

/** A server of settings that have been checked. */
export const serverOf = (settings: Settings, options: ServerOptions = {}): Server =>
  new GatewayServer(settings, options);

/** Milliseconds for workers to end by themselves even when the requests under way took all of the grace. */
const LEAST_GRACE = 1000;
/** Milliseconds after which a phase of the stop is worth a line of the log. */
const LONG_PHASE = 1000;

class GatewayServer implements Server {
  readonly log: Log;
  readonly #options: ServerOptions;
  /** In tests the contract of the exchange is checked. Read now: a server process hides its own variables before apps are loaded. */
  readonly #isChecked = process.env.SALLYPORT_LINT === "1";
  readonly #directory: string;
  /** Undefined where the log is somebody else's. */
  readonly #ownLog: OwnLog | undefined;
  readonly #appStarter: AppStarter;
  readonly #reloads = new Reloads(() => this.#inTurn(() => this.#reload()));
  /** Reloads and restarts, one at a time. */
  #turn: Promise<void> = Promise.resolve();
  readonly #born = performance.now();
  readonly #inspection: ServerInspection | undefined;
  #serving = false;
  #parts: Parts;
  readonly #scaled = new ScaledApps();
  readonly #retirement: Retirement;
  /** Made when the apps have started. */
  #routes = new Routes([], new Map());
  #starting: Promise<readonly string[]> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(settings: Settings, options: ServerOptions) {
    this.#options = options;
    this.#directory = options.directory ?? process.cwd();
    this.#ownLog = options.log ? undefined : ownLogOf(settings, options.tail);
    this.log = options.log ?? (this.#ownLog as OwnLog).log;
    this.#appStarter = new AppStarter({
      directory: this.#directory,
      log: this.log,
      development: options.development,
      ownProcess: options.ownProcess ?? false,
      dispatch: (exchange) => void this.#dispatch(exchange),
      pass: (app, exchange) => this.#pass(app, exchange),
      goOn: () => this.#throwIfStopping(),
    });
    this.#retirement = new Retirement({
      log: this.log,
      appStarter: this.#appStarter,
      isStopping: () => this.#stopping !== undefined,
    });
    const app = (name: string): App => appNamed(this.#parts.apps, name);
    const interfaceOf = (name: string): string => appInterface(app(name));
    this.#inspection = options.inspection?.({ log: this.log, directory: this.#directory, app, interfaceOf });
    const frontend = this.#makeFrontend(settings, undefined);
    this.#parts = { settings, apps: new Map(), frontend, access: undefined, sockets: new Map() };
  }

  start(): Promise<readonly string[]> {
    this.#starting = this.#start();
    return this.#starting;
  }

  async #start(): Promise<readonly string[]> {
    const { settings } = this.#parts;
    try {
      this.#applyLimits(settings);
      await this.#useAccessLog(settings.log);
      const { beforeApps } = this.#options;
      if (beforeApps) await this.#parts.frontend.prepare(() => this.#throwIfStopping()).then(beforeApps);
      const gateways = this.#appStarter.make(settings, Object.keys(settings.apps));
      // The listeners are loaded while the apps start, mostly in processes of their own.
      const { frontend } = this.#parts;
      const listeners = Promise.allSettled(gateways.values()).then(() => this.#makeListeners(frontend));
      // An embedded application may close descriptors of this process: nothing must be loaded while it starts.
      if (hasEmbedded(settings)) await listeners;
      const [apps] = await Promise.all([this.#appStarter.start(settings, gateways), listeners]);
      this.#take({ ...this.#parts, apps });
      for (const [i, key] of placeKeys(settings.listen).entries())
        await this.#listen(key, settings.listen[i] as ListenAddress);
      this.#serving = true;
    } catch (error) {
      await this.stop(0);
      throw SallyportError.from(error);
    }
    return this.urls;
  }

  get urls(): readonly string[] {
    return [...this.#parts.sockets.values()].map(({ url }) => url);
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

  status(): ServerProcessStatus {
    const { apps, frontend } = this.#parts;
    const frontends = [frontend, ...this.#retirement.frontends];
    return {
      pid: process.pid,
      state: this.#stopping ? "leaving" : this.#serving ? "serving" : "starting",
      age: performance.now() - this.#born,
      ...totalLoad(frontends.map((each) => each.load())),
      apps: this.#retirement.apps.addedTo(
        Object.fromEntries([...apps].map(([name, app]) => [name, appStatus(app)])),
      ),
    };
  }

  summaries(): readonly AppSummary[] {
    return summariesOf({ settings: this.#parts.settings, directory: this.#directory }, this.status().apps);
  }

  restart(name: string): Promise<void> {
    return this.#inTurn(() => this.#restart(name));
  }

  /** After a restart or a reload that is under way, which would start as many processes as there were before. */
  scale(name: string, bounds: ProcessBounds): Promise<void> {
    return this.#inTurn(() => this.#scaled.scale(name, appNamed(this.#parts.apps, name), bounds));
  }

  async stacks(name: string): Promise<readonly ProcessStacks[]> {
    return this.#retirement.apps.stacks(name, appNamed(this.#parts.apps, name));
  }

  async inspect(question: InspectQuestion): Promise<unknown> {
    if (this.#inspection) return this.#inspection.answer(question);
    throw new SallyportError("NOT_FOUND", "this server has no admin listener, and so no inspector");
  }

  reopenLogs(): void {
    for (const access of [this.#parts.access, ...this.#retirement.accessLogs]) access?.reopen();
  }

  async leave(patience = 0): Promise<void> {
    const { sockets, frontend, apps } = this.#parts;
    await Promise.all([...sockets.values()].map(({ bound }) => bound.close(timerDelay(patience))));
    frontend.leave();
    this.#inspection?.leave?.();
    for (const { gateway } of apps.values()) gateway.leave?.("restart");
  }

  stop(grace: number = this.#parts.settings.grace): Promise<void> {
    this.#stopping ??= this.#stop(timerDelay(grace));
    return this.#stopping;
  }

  // Reload: all that is new is made first; only then is what was there let go.

  async #reload(): Promise<void> {
    if (this.#stopping) return;
    const change = new Change();
    await this.#orUndo(change, async () => {
      const settings = (await this.#options.reread?.(change.made)) ?? this.#parts.settings;
      const { next, handOver } = await this.#partsFor(settings, change);
      this.#throwIfStopping();
      this.#applyLimits(settings);
      handOver();
      this.#become(next);
      await this.#scaled.reset(next.apps.values());
    });
  }

  /** An app that cannot reload is made anew, and replaced. */
  async #restart(name: string): Promise<void> {
    const app = appNamed(this.#parts.apps, name);
    if (app.gateway.reload) {
      if (await app.running.reload(app.gateway)) this.log.info(`app ${name} was restarted`);
      return;
    }
    const { settings } = this.#parts;
    const change = new Change();
    await this.#orUndo(change, async () => {
      const started = await this.#appStarter.start(settings, this.#appStarter.make(settings, [name]), change);
      this.#become({ ...this.#parts, apps: new Map([...this.#parts.apps, ...started]) });
    });
  }

  /** One change after the other, and none before the start, which may have read an app before that was changed. */
  #inTurn(act: () => Promise<void>): Promise<void> {
    const started = this.#starting?.catch(() => {}); // it reports by itself why it could not
    const turn = this.#turn.then(() => started).then(act);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Takes back what was made when the change fails. */
  async #orUndo(change: Change, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      await change.undo();
      throw error;
    }
  }

  /** From now on requests go to these parts, and those that they replace end. */
  #become(next: Parts): void {
    this.#throwIfStopping();
    const before = this.#parts;
    this.#take(next);
    this.#retirement.begin(before, next);
  }

  /** `handOver` has kept sockets serve by them. */
  async #partsFor(settings: Settings, change: Change): Promise<{ next: Parts; handOver: () => void }> {
    const apps = await this.#appsFor(settings, change);
    const front = await this.#frontendFor(settings, change);
    const { sockets, handOver } = await this.#socketsFor(settings, front.frontend, change);
    // Last: what has a new generation cannot go back.
    const kept = [...apps].filter(([name, app]) => this.#parts.apps.get(name) === app);
    await this.#renew(kept, front.frontend);
    return { next: { settings, apps, ...front, sockets }, handOver };
  }

  /** Apps that are new, or other than before, are started. */
  async #appsFor(settings: Settings, change: Change): Promise<Apps> {
    const { apps } = this.#parts;
    const names = Object.keys(settings.apps);
    const fresh = names.filter((name) => !goesOn(settings.apps[name], apps.get(name)));
    const started = await this.#appStarter.start(settings, this.#appStarter.make(settings, fresh), change);
    return new Map(names.map((name) => [name, (started.get(name) ?? apps.get(name)) as App]));
  }

  async #frontendFor(settings: Settings, change: Change): Promise<Pick<Parts, "frontend" | "access">> {
    const { frontend, access } = this.#parts;
    if (sharesFrontend(this.#parts.settings, settings)) return { frontend, access };
    const newAccess = await this.#openAccessLog(settings.log);
    const made = { frontend: this.#makeFrontend(settings, newAccess), access: newAccess };
    // New addresses may bring it connections before it takes over.
    this.#retirement.expect(made);
    change.made(() => void this.#retirement.retire(made, this.#parts.settings.grace));
    await this.#makeListeners(made.frontend);
    return made;
  }

  async #socketsFor(settings: Settings, frontend: Frontend, change: Change): Promise<ChangedSockets> {
    const { sockets, frontend: before } = this.#parts;
    if (frontend === before) return { sockets, handOver: () => {} };
    const accepts: Accept[] = [];
    for (const address of settings.listen) accepts.push(await this.#acceptAt(frontend, address));
    return changeSockets(sockets, settings.listen, accepts, this.#directory, change);
  }

  /**
   * New generations of apps that stay, and the certificates of `frontend` as their files are now: all together, or none. Those that
   * the configuration no longer names may be gone. Rejects with all failures.
   */
  async #renew(kept: readonly (readonly [string, App])[], frontend: Frontend): Promise<void> {
    // An app that is being developed says by itself what became of its new version.
    const isTold = this.#options.development !== undefined;
    const renewals = kept.map(([name, { running, gateway }]) => async (agree: Agree) => {
      if ((await running.reload(gateway, agree)) && !isTold) this.log.info(`app ${name} was reloaded`);
    });
    const certificates = (agree: Agree): Promise<void> => frontend.reloadCertificates(agree);
    const results = await together([...renewals, certificates], async () => this.#throwIfStopping());
    throwFailures("reloaded", [...kept.map(([name]) => name), "the certificates"], results);
  }

  /** From now on requests go to these parts. */
  #take(parts: Parts): void {
    this.#parts = parts;
    const inspection = this.#inspection;
    const gateways = [...parts.apps].map(([name, { gateway: own }]) => {
      const checked = this.#isChecked ? lint(own) : own;
      const gateway = inspection?.around(checked, name) ?? checked;
      return [name, parts.settings.serverTiming ? timed(gateway, name) : gateway] as const;
    });
    this.#routes = new Routes(routesOf(parts.settings), new Map(gateways));
  }

  /** Gives the exchange to its app, and returns the app's name; an exchange without a route fails. */
  readonly #dispatch = (exchange: Exchange): string | undefined => {
    try {
      const route = this.#routes.match(exchange);
      route.gateway.handle(exchange);
      return route.app;
    } catch (error) {
      exchange.fail(SallyportError.from(error));
      return undefined;
    }
  };

  /** Logs and metrics have it as that app's. */
  #pass(app: string, exchange: Exchange): void {
    exchange.facts = { ...exchange.facts, app };
    exchange.trace?.passedOn(app);
    this.#routes.pass(app, exchange);
  }

  // Sockets.

  #makeFrontend(settings: Settings, access: AccessLog | undefined): Frontend {
    const { counts } = this.#options;
    const dispatch = this.#dispatch;
    return new Frontend({ settings, access, counts, dispatch, directory: this.#directory, log: this.log });
  }

  #makeListeners(frontend: Frontend): Promise<void> {
    return frontend.makeListeners(() => this.#throwIfStopping());
  }

  async #listen(key: string, address: ListenAddress): Promise<void> {
    const accept = await this.#acceptAt(this.#parts.frontend, address);
    this.#throwIfStopping();
    const socket = await openSocket(address, accept, this.#directory);
    // A stop that came meanwhile has closed only the sockets that were there.
    if (this.#stopping) await socket.bound.close();
    this.#throwIfStopping();
    this.#parts = { ...this.#parts, sockets: new Map(this.#parts.sockets).set(key, socket) };
  }

  async #acceptAt(frontend: Frontend, address: ListenAddress): Promise<Accept> {
    const accept = await frontend.acceptAt(address);
    const { accepted, counts } = this.#options;
    if (!accepted && !counts) return accept;
    return (socket) => {
      counts?.connection(socket);
      accepted?.(socket);
      accept(socket);
    };
  }

  #applyLimits(settings: Settings): void {
    const { limits, log, renamed = [] } = settings;
    this.#ownLog?.log.use(log);
    for (const line of renamed) this.log.warn(line);
    disk.limit = limits.temporary;
    descriptors.limit = openFilesLimit() ?? Number.POSITIVE_INFINITY;
    warnOfDescriptors(this.log, limits.connections);
    warnOfTemporary(this.log, settings);
  }

  async #useAccessLog(style: Settings["log"]): Promise<void> {
    const log = await this.#openAccessLog(style);
    // A stop that came meanwhile has closed only what was there.
    if (this.#stopping) await log?.close();
    this.#throwIfStopping();
    const { settings } = this.#parts;
    this.#parts = { ...this.#parts, access: log, frontend: this.#makeFrontend(settings, log) };
  }

  async #openAccessLog({ access, accessFormat }: Settings["log"]): Promise<AccessLog | undefined> {
    if (access === undefined || access === "off") return undefined;
    const report = (message: string): void => this.log.warn(message);
    const sink =
      access === "-" ? descriptorSink(1, report) : await fileSink(resolve(this.#directory, access), report);
    return new AccessLog(sink, accessFormat, (app) => appInterface(this.#parts.apps.get(app)));
  }

  // Apps.

  /** Standard output carries the response: there is no access log there. */
  async #startForCgi(settings: Settings): Promise<void> {
    if (settings.log.access !== "-") await this.#useAccessLog(settings.log);
    const gateways = this.#appStarter.make(settings, Object.keys(settings.apps));
    this.#take({ ...this.#parts, apps: await this.#appStarter.start(settings, gateways) });
  }

  #throwIfStopping(): void {
    const meanwhile = this.#serving ? "before the change took effect" : "while it started";
    if (this.#stopping) throw new SallyportError("STOPPING", `the server was stopped ${meanwhile}`);
  }

  /** Begins a phase of the stop. What it returns logs the end: for all to see where it took long. */
  #phase(what: string, within: string): () => void {
    const since = performance.now();
    return () => {
      const took = performance.now() - since;
      const at = took < LONG_PHASE ? "debug" : "info";
      this.log[at](
        `stopping: ${what}, after ${(took / 1000).toFixed(1)} s; there are ${within} for all of it`,
      );
    };
  }

  async #stop(grace: number): Promise<void> {
    const deadline = performance.now() + grace;
    const left = () => Math.max(0, deadline - performance.now());
    const within = `${grace / 1000} s`;
    let phase = this.#phase("connections that waited were accepted", within);
    // Half of the grace for accepting: the connections accepted last must be answered, too.
    await Promise.all([...this.#parts.sockets.values()].map(({ bound }) => bound.close(grace / 2)));
    this.#appStarter.leave();
    this.#inspection?.leave?.();
    phase();
    phase = this.#phase("requests under way have ended", within);
    await Promise.all([this.#parts.frontend.close(left()), this.#retirement.close(left())]);
    phase();
    phase = this.#phase("the apps have ended", within);
    const patience = grace === 0 ? 0 : Math.max(LEAST_GRACE, left());
    await this.#appStarter.closeAll(patience);
    phase();
    await this.#parts.access?.close();
    await this.#ownLog?.sink.close();
  }
}
