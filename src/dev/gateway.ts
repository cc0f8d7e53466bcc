// An application that is being developed: its start may fail without ending the server, requests wait while a new version
// starts, and where there is none the reason is the answer.
// Tested by test/cli/dev.test.ts.
import type { AppSettings } from "../config/config.ts";
import {
  type Exchange,
  type Gateway,
  type GatewayStatus,
  type Leaving,
  type Log,
  type ProcessBounds,
  type ProcessStacks,
  Running,
  SallyportError,
  statusWithoutProcesses,
} from "../exchange/index.ts";
import { appStatus, scaleApp } from "../server/app-operations.ts";
import { configuredInterface } from "../server/interfaces.ts";
import type { Changes } from "./changes.ts";
import { type DevContext, DevExchange } from "./exchange.ts";

export interface DevGatewayOptions {
  /** The application's name in the configuration. */
  readonly name: string;
  readonly settings: AppSettings;
  readonly directory: string;
  /** Makes the gateway of the version that is there now; may reject. */
  readonly make: () => Promise<Gateway>;
  /** A new version needs a new gateway: a module that is imported into this process. */
  readonly anew: boolean;
  readonly changes: Changes;
  readonly log: Log;
}

/** Requests that wait for a new version. More: 503. */
const MOST_WAITING = 1_000;
/** Milliseconds for the requests of a version that another one has replaced. */
const OLD_GRACE = 5_000;

interface Version {
  readonly gateway: Gateway;
  readonly running: Running;
  started: boolean;
}

export class DevGateway implements Gateway {
  readonly #options: DevGatewayOptions;
  readonly #context: DevContext;
  readonly #waiting = new Set<Exchange>();
  /** While a new version starts. */
  #starting = true;
  #version: Version | undefined;
  /** Why the present version cannot answer. */
  #failure: SallyportError | undefined;
  #closed = false;

  constructor(options: DevGatewayOptions) {
    this.#options = options;
    this.#context = { directory: options.directory, log: options.log, scriptOf: options.changes.scriptOf };
  }

  /** Never rejects: an application that does not start yet is what is being worked on. */
  async start(): Promise<void> {
    await this.#renew(() => this.#startNew());
  }

  async reload(): Promise<void> {
    this.#starting = true;
    const version = this.#options.anew ? undefined : this.#version;
    await this.#renew(() => (version ? this.#startPresent(version) : this.#startNew()));
  }

  handle(exchange: Exchange): void {
    if (this.#options.changes.answers(exchange)) return;
    if (this.#starting) this.#wait(exchange);
    else this.#answer(exchange);
  }

  status(): GatewayStatus {
    const { settings } = this.#options;
    const gateway = this.#version?.gateway;
    const present = gateway
      ? appStatus({ gateway, settings })
      : statusWithoutProcesses(configuredInterface(settings));
    return { ...present, waiting: present.waiting + this.#waiting.size };
  }

  async stacks(): Promise<readonly ProcessStacks[]> {
    const gateway = this.#version?.gateway;
    if (gateway && !gateway.stacks)
      throw new SallyportError(
        "STACKS_UNAVAILABLE",
        `the app ${this.#options.name} is no Python application`,
      );
    return (await gateway?.stacks?.()) ?? [];
  }

  async scale(bounds: ProcessBounds): Promise<void> {
    const { name, settings } = this.#options;
    if (!this.#version) throw new SallyportError("NOT_READY", `${name} does not run yet`);
    await scaleApp(name, { gateway: this.#version.gateway, settings }, bounds);
  }

  leave(why?: Leaving): void {
    this.#options.changes.leave();
    this.#version?.running.leave(why);
  }

  async close(grace: number): Promise<void> {
    this.#closed = true;
    for (const exchange of this.#waiting)
      exchange.fail(new SallyportError("STOPPING", "the server stopped before the application was ready"));
    await this.#version?.running.close(grace);
  }

  async #renew(renew: () => Promise<void>): Promise<void> {
    const { name, log } = this.#options;
    const since = performance.now();
    try {
      await renew();
      this.#failure = undefined;
      log.info(`${name} is ready, after ${((performance.now() - since) / 1000).toFixed(2)} s`);
    } catch (reason) {
      const error = SallyportError.from(reason);
      this.#failure = error;
      log.error(`${name}: ${error.message}`, { code: error.code, fault: error.fault, detail: error.detail });
    }
    this.#starting = false;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const exchange of waiting) this.#answer(exchange);
  }

  /** A version before it goes on until its requests are over. */
  async #startNew(): Promise<void> {
    const gateway = await this.#options.make();
    const before = this.#version;
    this.#version = { gateway, running: new Running(), started: false };
    before?.running.leave("restart");
    void before?.running.close(OLD_GRACE);
    await this.#startPresent(this.#version);
  }

  /** What never started is started; everything else has generations of its own. */
  async #startPresent(version: Version): Promise<void> {
    const { gateway, running, started } = version;
    if (started) await running.reload(gateway);
    else await running.start(gateway);
    version.started = true;
    if (this.#closed) await running.close(0);
  }

  #answer(exchange: Exchange): void {
    if (exchange.closed) return;
    const { name } = this.#options;
    const error = this.#failure;
    const shown = new DevExchange(exchange, this.#context);
    if (error) shown.showFailure({ error, what: `${name} cannot be served` });
    else this.#version?.gateway.handle(shown);
  }

  #wait(exchange: Exchange): void {
    if (this.#waiting.size >= MOST_WAITING)
      return exchange.fail(
        new SallyportError("QUEUE_FULL", `${MOST_WAITING} requests wait for the new version`),
      );
    this.#waiting.add(exchange);
    exchange.whenClosed(() => this.#waiting.delete(exchange));
  }
}
