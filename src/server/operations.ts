// The operations of a server that has a process for itself.
// Tested by test/control/commands.test.ts.
import { CpuTimes } from "../control/cpu.ts";
import type { Inspector } from "../control/inspection.ts";
import {
  type Operations,
  ownVersion,
  type ReloadStatus,
  type ServerProcessStatus,
  type ServerState,
  type ServerStatus,
} from "../control/operations.ts";
import {
  type Log,
  type ProcessBounds,
  type ProcessStacks,
  Reloads,
  SallyportError,
} from "../exchange/index.ts";
import type { Notifier } from "./notify.ts";
import type { Server } from "./server.ts";

export interface OperatedServer {
  readonly server: Server;
  readonly notifier: Promise<Notifier>;
  readonly stop: () => void;
}

export class ServerOperations implements Operations {
  readonly stop: () => void;
  readonly inspectors: readonly Inspector[];
  readonly #server: Server;
  readonly #notifier: Promise<Notifier>;
  readonly #cpu = new CpuTimes();
  readonly #startedAt = new Date().toISOString();
  /** Those who ask during a reload share the next, which counts once. */
  readonly #reloads = new Reloads(() => this.#reload());
  #reloading = false;
  #lastReload: ReloadStatus | undefined;
  readonly #counts = { ok: 0, failed: 0 };

  constructor({ server, notifier, stop }: OperatedServer) {
    this.stop = stop;
    this.#server = server;
    this.inspectors = [{ pid: process.pid, ask: (question) => server.inspect(question) as Promise<never> }];
    this.#notifier = notifier;
  }

  async status(): Promise<ServerStatus> {
    const serverProcess = this.#server.status();
    return this.#cpu.measured({
      version: ownVersion(),
      pid: process.pid,
      startedAt: this.#startedAt,
      urls: this.#server.urls,
      state: this.#stateOf(serverProcess),
      serverProcesses: [serverProcess],
      ...(this.#lastReload ? { lastReload: this.#lastReload } : {}),
      reloads: { ...this.#counts },
      restarts: 0,
    });
  }

  #stateOf({ state }: ServerProcessStatus): ServerState {
    if (state === "starting") return "starting";
    if (state === "leaving") return "stopping";
    return this.#reloading ? "reloading" : "serving";
  }

  reload(): Promise<void> {
    return this.#reloads.ask();
  }

  async #reload(): Promise<void> {
    const notifier = await this.#notifier;
    notifier.reloading();
    this.#reloading = true;
    try {
      await this.#server.reload();
      this.#lastReload = reloaded();
      this.#counts.ok++;
    } catch (reason) {
      const error = SallyportError.from(reason);
      if (error.code === "ERR_SALLYPORT_STOPPING") throw error;
      this.#lastReload = reloaded(error);
      this.#counts.failed++;
      logFailedReload(this.#server.log, "the old generation goes on", error);
      throw error;
    } finally {
      this.#reloading = false;
      if (this.#server.status().state === "serving") notifier.ready(this.#server.urls);
    }
  }

  restart(app: string): Promise<void> {
    return this.#server.restart(app);
  }

  scale(app: string, bounds: ProcessBounds): Promise<void> {
    return this.#server.scale(app, bounds);
  }

  stacks(app: string): Promise<readonly ProcessStacks[]> {
    return this.#server.stacks(app);
  }
}

/** How a reload ended, now. */
export const reloaded = (error?: SallyportError): ReloadStatus => ({
  at: new Date().toISOString(),
  ok: error === undefined,
  ...(error ? { message: error.message } : {}),
});

/** `kept`: "the old generation goes on". */
export function logFailedReload(log: Log, kept: string, { message, code, detail }: SallyportError): void {
  log.error(`the reload failed and ${kept}: ${message}`, { code, detail });
}
