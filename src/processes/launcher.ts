// Starts a child per request without stalling this process: a small process does the forking
// (docs/decisions/0002-spawning.md). It is started when first needed, started again when it dies, and shared by all.
import { type Child, failedChild } from "./child.ts";
import type { LaunchOptions } from "./launched.ts";
import { LauncherHost } from "./launcher-host.ts";

export interface LauncherOptions {
  /** Whether children get pipes, where there are any; default true. */
  readonly pipes?: boolean;
}

export class Launcher {
  readonly #options: LauncherOptions;
  #host: Promise<LauncherHost> | undefined;
  #users = 0;

  constructor(options: LauncherOptions = {}) {
    this.#options = options;
  }

  /** Counts one more user, and resolves when children can be started. Rejects when that is impossible. */
  async retain(): Promise<void> {
    this.#users++;
    await this.#running();
  }

  /** The last user's release ends the process, and all children with it. */
  async release(): Promise<void> {
    if (--this.#users > 0 || !this.#host) return;
    const host = await this.#host.catch(() => undefined);
    await host?.close();
  }

  /** Like `startChild`; a child that could not be started has a `failure` in its `exited`. Never rejects. */
  async launch(options: LaunchOptions): Promise<Child> {
    try {
      const host = await this.#running();
      const child = await host.launch(options);
      // A lost socket means that nothing was started, so a new host may try once more.
      if (child.pid !== undefined || !host.retiring) return child;
      return await (await this.#running()).launch(options);
    } catch (error) {
      return failedChild(options.command, error as Error);
    }
  }

  #running(): Promise<LauncherHost> {
    if (this.#host) return this.#host;
    const forget = (): void => {
      if (this.#host === host) this.#host = undefined;
    };
    const host = LauncherHost.start(forget, this.#options.pipes ?? true);
    host.catch(forget);
    this.#host = host;
    return host;
  }
}

/** Shared by the whole process. */
export const sharedLauncher: Launcher = new Launcher();
