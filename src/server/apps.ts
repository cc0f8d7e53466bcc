// The applications of a server: made from their part of the configuration, started together, closed in phases.
// Tested by test/server/reload.test.ts.
import type { AppSettings, Settings } from "../config/config.ts";
import { type Exchange, type Gateway, type Log, Running } from "../exchange/index.ts";
import { logOfApp } from "../logs/log.ts";
import { newVersion } from "../modules/versions.ts";
import type { App, Change } from "./change.ts";
import { throwFailures } from "./failures.ts";
import { gatewayOf } from "./gateways.ts";
import type { Development } from "./interface.ts";

export type Apps = ReadonlyMap<string, App>;
/** Gateways that are being made, by the names of their apps. */
export type Gateways = ReadonlyMap<string, Promise<Gateway>>;

export interface AppsOptions {
  readonly directory: string;
  readonly log: Log;
  readonly development: Development | undefined;
  readonly ownProcess: boolean;
  /** Answers an exchange by the server's routes. */
  readonly dispatch: (exchange: Exchange) => void;
  /** Gives an exchange to the app of this name. */
  readonly pass: (app: string, exchange: Exchange) => void;
  /** Throws STOPPING once the server stops. */
  readonly goOn: () => void;
}

export class AppStarter {
  readonly #options: AppsOptions;
  /** Apps that have not been closed, those of a reload under way among them. */
  readonly #open = new Set<App>();
  /** Modules that were loaded must be loaded anew. */
  #isAgain: boolean;

  constructor(options: AppsOptions) {
    this.#options = options;
    this.#isAgain = options.development !== undefined;
  }

  /** The gateways of the apps with these names; they are not started yet. */
  make(settings: Settings, names: readonly string[]): Gateways {
    return new Map(
      names.map((name) => [name, this.#makeOne(name, settings.apps[name] as AppSettings, settings)]),
    );
  }

  /** Rejects with all failures. Those that have started end when `change` is undone. */
  async start(settings: Settings, gateways: Gateways, change?: Change): Promise<Apps> {
    const starts = Array.from(gateways, async ([name, made]): Promise<[string, App]> => {
      const app = {
        settings: settings.apps[name] as AppSettings,
        gateway: await made,
        running: new Running(),
      };
      this.#options.goOn();
      this.#open.add(app);
      change?.made(() => this.close(app, 0));
      await app.running.start(app.gateway);
      return [name, app];
    });
    const results = await Promise.allSettled(starts);
    this.#options.goOn();
    throwFailures("started", [...gateways.keys()], results);
    this.#isAgain = true;
    return new Map(results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : [])));
  }

  /** Requests inside it have `grace` milliseconds. Never rejects. */
  async close(app: App, grace: number): Promise<void> {
    await app.running.close(grace);
    this.#open.delete(app);
  }

  /** All of them are about to stop. */
  leave(): void {
    for (const { running } of this.#open) running.leave();
  }

  async closeAll(grace: number): Promise<void> {
    await Promise.all([...this.#open].map((app) => this.close(app, grace)));
  }

  async #makeOne(name: string, app: AppSettings, settings: Settings): Promise<Gateway> {
    const { development, log } = this.#options;
    const make = (): Promise<Gateway> => this.#gatewayOf(name, app, settings);
    return development?.gateway(name, app, log, make) ?? make();
  }

  #gatewayOf(name: string, app: AppSettings, { serverProcesses }: Settings): Promise<Gateway> {
    const { directory, log, dispatch, pass, ownProcess } = this.#options;
    const moduleVersion = this.#isAgain ? newVersion : () => "";
    return gatewayOf(app, {
      directory,
      log: logOfApp(log, name),
      serverProcesses,
      dispatch,
      pass,
      ownProcess,
      moduleVersion,
    });
  }
}
