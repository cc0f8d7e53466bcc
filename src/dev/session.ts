// `sallyport dev`: the applications of a server, started again when a file of theirs changes, and the browsers that show them.
import { dirname, relative, resolve } from "node:path";
import type { AppSettings } from "../config/config.ts";
import { type Gateway, type Log, Reloads } from "../exchange/index.ts";
import type { Development } from "../server/server.ts";
import { Changes } from "./changes.ts";
import { DevGateway } from "./gateway.ts";
import { loadedFiles, newVersion } from "./modules.ts";
import { Watcher } from "./watcher.ts";

export interface DevOptions {
  readonly apps: Readonly<Record<string, AppSettings>>;
  /** Where the applications are. */
  readonly directory: string;
  /** As of `WatcherOptions`. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** Files that a line of the log names. */
const MOST_NAMED = 3;

export class DevSession implements Development {
  readonly #options: DevOptions;
  readonly #changes = new Changes();
  readonly #gateways: DevGateway[] = [];
  readonly #reloads = new Reloads(
    async () => void (await Promise.all(this.#gateways.map((one) => one.reload()))),
  );
  #watcher: Watcher | undefined;
  #log: Log | undefined;

  constructor(options: DevOptions) {
    this.#options = options;
  }

  /** The gateway of an application, for as long as it is being developed. */
  gateway(name: string, app: AppSettings, log: Log, make: () => Promise<Gateway>): Gateway {
    const directory = directoryOf(app, this.#options.directory);
    const anew = "module" in app;
    const gateway = new DevGateway({ name, directory, make, anew, changes: this.#changes, log });
    this.#gateways.push(gateway);
    return gateway;
  }

  moduleVersion(): string {
    return newVersion();
  }

  /** From now on files are watched. Resolves when each change is seen. */
  async watch(log: Log): Promise<void> {
    this.#log = log;
    this.#watcher = new Watcher({
      ...this.#options,
      directories: outermost(this.#directories()),
      changed: (files, restart) => void this.#changed(files, restart),
      log,
    });
    await this.#watcher.ready();
    this.#watcher.add(loadedFiles());
  }

  async close(): Promise<void> {
    await this.#watcher?.close();
  }

  #directories(): string[] {
    const { apps, directory } = this.#options;
    return [...new Set(Object.values(apps).map((app) => directoryOf(app, directory)))];
  }

  async #changed(files: readonly string[], restart: boolean): Promise<void> {
    const names = files.slice(0, MOST_NAMED).map((file) => relative(this.#options.directory, file));
    const more = files.length > MOST_NAMED ? ` and ${files.length - MOST_NAMED} more` : "";
    this.#log?.info(`changed: ${names.join(", ")}${more}`);
    if (restart) {
      await this.#reloads.ask();
      this.#watcher?.add(loadedFiles());
    }
    this.#changes.tell();
  }
}

/** Where the application's files are, an absolute path. */
function directoryOf(app: AppSettings, directory: string): string {
  const { chdir, module, cgi, static: files, php } = app as Readonly<Record<string, unknown>>;
  for (const place of [chdir, files, php]) if (typeof place === "string") return resolve(directory, place);
  for (const file of [module, cgi]) if (typeof file === "string") return dirname(resolve(directory, file));
  return directory;
}

/** Without those that lie in another one. */
const outermost = (directories: readonly string[]): string[] =>
  directories.filter(
    (one) => !directories.some((other) => other !== one && one.startsWith(`${other.replace(/\/$/, "")}/`)),
  );
