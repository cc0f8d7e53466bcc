// `sallyport dev`: the applications of a server, started again when a file of theirs changes, and the browsers that show them.
// Tested by test/cli/dev.test.ts.
import { dirname, relative, resolve } from "node:path";
import type { AppSettings } from "../config/config.ts";
import { type Gateway, type Log, SallyportError } from "../exchange/index.ts";
import { loadedFiles } from "../modules/versions.ts";
import type { Development, Server } from "../server/server.ts";
import { Changes } from "./changes.ts";
import { DevGateway } from "./gateway.ts";
import { Imports } from "./imports.ts";
import { Watcher } from "./watcher.ts";

export interface DevOptions {
  /** Those of the start. */
  readonly apps: Readonly<Record<string, AppSettings>>;
  /** Where the applications are. */
  readonly directory: string;
  /** Files besides those: the configuration. */
  readonly files: readonly string[];
  /** As of `WatcherOptions`. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** Files that a line of the log names. */
const MOST_NAMED = 3;

export class DevSession implements Development {
  readonly #options: DevOptions;
  readonly #changes = new Changes();
  readonly #imports = new Imports();
  #watcher: Watcher | undefined;
  #server: Server | undefined;

  constructor(options: DevOptions) {
    this.#options = options;
  }

  /** The gateway of an application, for as long as it is being developed. A changed configuration may bring new ones. */
  gateway(name: string, app: AppSettings, log: Log, make: () => Promise<Gateway>): Gateway {
    const directory = directoryOf(app, this.#options.directory);
    this.#watcher?.addDirectory(directory);
    const anew = "module" in app;
    return new DevGateway({ name, settings: app, directory, make, anew, changes: this.#changes, log });
  }

  /** From now on files are watched. Resolves when each change is seen. */
  async watch(server: Server): Promise<void> {
    this.#server = server;
    const { log } = server;
    this.#watcher = new Watcher({
      ...this.#options,
      directories: outermost(this.#directories()),
      changed: (files, restart) => void this.#changed(files, restart),
      log,
    });
    await this.#watcher.ready();
    this.#watcher.add([...this.#options.files, ...loadedFiles()]);
    this.#imports.follow((files) => this.#watcher?.add(files));
  }

  /** Variables that tell the application's processes that they are being developed (python/sallyport/loader.py). */
  get env(): Readonly<Record<string, string>> {
    return { SALLYPORT_DEV: "1", SALLYPORT_DEV_IMPORTS: this.#imports.path };
  }

  async close(): Promise<void> {
    this.#imports.close();
    await this.#watcher?.close();
  }

  /** All that the configuration says, too: it may be what has changed. */
  async #reload(): Promise<void> {
    try {
      await this.#server?.reload();
    } catch (reason) {
      const { message, code, detail } = SallyportError.from(reason);
      this.#server?.log.error(message, { code, detail });
    }
  }

  #directories(): string[] {
    const { apps, directory } = this.#options;
    return [...new Set(Object.values(apps).map((app) => directoryOf(app, directory)))];
  }

  async #changed(files: readonly string[], restart: boolean): Promise<void> {
    const names = files.slice(0, MOST_NAMED).map((file) => relative(this.#options.directory, file));
    const more = files.length > MOST_NAMED ? ` and ${files.length - MOST_NAMED} more` : "";
    this.#server?.log.info(`changed: ${names.join(", ")}${more}`);
    if (restart) {
      await this.#reload();
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
