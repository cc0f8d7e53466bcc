// A FastCGI application, from the web server's side: the addresses where it listens, or the processes that we start, one
// generation after another.
// Tested by test/protocols/fastcgi/server/reloads.test.ts.
import {
  type GatewayStatus,
  type Log,
  type ProcessBounds,
  SallyportError,
  silentLog,
  statusWithoutProcesses,
} from "../../../exchange/index.ts";
import { type Agree, Reloads } from "../../../exchange/reloads.ts";
import { boundsOf, checkBounds, idleTimeoutOf } from "../../../options/processes.ts";
import { isolationOf } from "../../../processes/index.ts";
import { Upstream } from "../../../upstreams/index.ts";
import { Backend } from "./backend.ts";
import { Backends } from "./backends.ts";
import { addressesOf, checkSense, type FastcgiOptions } from "./options.ts";
import { SpawnedApplication } from "./process.ts";

const VALUES_TIMEOUT = 1_000;
/** As of workers. */
const START_TIMEOUT = 60_000;
/** For the requests inside a generation that was replaced, milliseconds. */
const RELOAD_GRACE = 600_000;
/** For a process between TERM and KILL. */
const STOP_GRACE = 1_000;

export class FastcgiApplication {
  readonly backends: Backends;
  readonly #options: FastcgiOptions;
  readonly #log: Log;
  /** The present generation of our processes, and earlier ones that finish what they have. */
  readonly #generations = new Map<SpawnedApplication, number>();
  #begun = 0;
  #bounds: ProcessBounds;
  #current: SpawnedApplication | undefined;
  /** Of generations that are gone. */
  #restartsBefore = 0;
  readonly #reloads = new Reloads((agree) => this.#replace(agree));

  /** Throws CONFIG_INVALID. */
  constructor(options: FastcgiOptions) {
    checkSense(options);
    this.#options = options;
    this.#bounds = boundsOf(options.processes ?? 1);
    this.#log = options.log ?? silentLog;
    const { queue = 1024, queueTimeout = 30_000 } = options;
    this.backends = new Backends({
      queue,
      queueTimeout,
      log: this.#log,
      replaced: options.command !== undefined,
    });
    this.backends.onNeed = () => this.#current?.need();
    for (const address of addressesOf(options)) this.backends.add(this.#backendAt(address));
  }

  /** Resolves when the processes are ready. Rejects with SPAWN_FAILED, and may be called again then. */
  async start(): Promise<void> {
    if (!this.#current) this.#takeOver(await this.#spawn());
  }

  /** A new generation of the processes that we started; the old one finishes what it has. */
  reload(agree?: Agree): Promise<void> {
    return this.#reloads.ask(agree);
  }

  /** Changes how many processes there may be. Throws CONFIG_INVALID. */
  scale(bounds: ProcessBounds): void {
    this.#bounds = checkBounds(bounds);
    this.#current?.scale(bounds);
  }

  status(): GatewayStatus {
    const { command } = this.#options;
    const generations = [...this.#generations.keys()];
    return {
      ...statusWithoutProcesses("FastCGI", this.backends.waiting),
      processes: [...this.#generations].flatMap(([{ processes }, generation]) =>
        processes.map((each) => ({ ...each, generation })),
      ),
      bounds: command ? this.#bounds : undefined,
      restarts: this.#restartsBefore + sum(generations.map(({ restarts }) => restarts)),
    };
  }

  async close(grace: number): Promise<void> {
    await this.backends.close(grace);
    const patience = Math.max(grace, STOP_GRACE);
    await Promise.all([...this.#generations.keys()].map((generation) => this.#stop(generation, patience)));
  }

  /** Both generations serve until all have agreed. */
  async #replace(agree: Agree): Promise<void> {
    const previous = this.#current;
    if (!previous) return;
    const next = await this.#spawn(previous);
    if (!next) return;
    try {
      await agree();
    } catch (error) {
      this.#retire(next);
      throw error;
    }
    this.#takeOver(next);
    this.#retire(previous);
  }

  /** The bounds may have changed while it started. */
  #takeOver(generation: SpawnedApplication | undefined): void {
    this.#current = generation;
    generation?.scale(this.#bounds);
  }

  #retire(generation: SpawnedApplication): void {
    void generation.drain(RELOAD_GRACE).then(() => this.#stop(generation, STOP_GRACE));
  }

  /** As many as `previous` has now, or the nearest number within the bounds. */
  async #spawn(previous?: SpawnedApplication): Promise<SpawnedApplication | undefined> {
    const { command, processes = 1, env = {}, chdir, transport = "unix", inheritEnv = ["*"] } = this.#options;
    const { maxRequests = 0, maxAge = 0, maxMemory = 0, memoryLimit = 0 } = this.#options;
    if (!command) return undefined;
    const isolation = await isolationOf(this.#options, command[0] as string, needsOf(command, chdir));
    const generation = new SpawnedApplication(
      {
        command,
        bounds: this.#bounds,
        idleTimeout: idleTimeoutOf(processes),
        recycling: { maxRequests, maxAge, maxMemory, memoryLimit },
        env,
        cwd: chdir,
        transport,
        isolation,
        inheritEnv,
        log: this.#log,
      },
      this.backends,
      (address) => this.#backendAt(address),
    );
    this.#generations.set(generation, ++this.#begun);
    try {
      await generation.start(previous?.count ?? 0);
    } catch (error) {
      this.#generations.delete(generation);
      throw error;
    }
    // `close` has stopped only the processes that were there.
    if (this.backends.closing) await this.#stop(generation, 0);
    if (this.backends.closing) throw new SallyportError("STOPPING", "the application is being stopped");
    return generation;
  }

  async #stop(generation: SpawnedApplication, grace: number): Promise<void> {
    await generation.stop(grace);
    if (this.#generations.delete(generation)) this.#restartsBefore += generation.restarts;
  }

  #backendAt(address: string): Backend {
    const { connectTimeout, connections, idleTimeout, keep, timeout = 30_000 } = this.#options;
    const exclusive = this.#options.command !== undefined;
    const upstream = new Upstream(address, { connectTimeout, log: this.#log });
    const times = { idleTimeout, timeout, valuesTimeout: VALUES_TIMEOUT, startTimeout: START_TIMEOUT };
    return new Backend(upstream, { keep, connections, exclusive, ...times }, this.backends);
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

/** A name without a slash is looked up by the system when it is started. */
const needsOf = ([program = ""]: readonly string[], directory: string | undefined) => ({
  directory,
  executable: program.includes("/") ? [program] : [],
});
