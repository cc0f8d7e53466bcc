// A door while the server runs: its gateway, the process that it may need beside that, and what is known of its processes. A door
// that cannot be started is shown as closed, with the reason; the others work.
// Tested by test/demo/demonstration.test.ts.
import {
  type Exchange,
  type Gateway,
  type GatewayStatus,
  type Leaving,
  type Outcome,
  type ResponseHead,
  SallyportError,
  statusWithoutProcesses,
  Trace,
} from "../exchange/index.ts";
import { residentMemory } from "../processes/index.ts";
import type { ListeningApplication } from "./application.ts";
import type { Door, ServingProcess } from "./door.ts";

/** Processes whose requests are counted: those that ended are forgotten some time. */
const MOST_PROCESSES = 64;

/** A request that a process was given: the how manieth it is there. */
interface Handed {
  readonly pid: number;
  readonly answered: number;
}

export class DoorGateway implements Gateway {
  readonly #door: Pick<Door, "id" | "wall" | "interface">;
  readonly #make: () => Promise<Gateway>;
  readonly #application: ListeningApplication | undefined;
  /** By process. */
  readonly #requests = new Map<number, number>();
  #gateway: Gateway | undefined;
  /** Requests that the application was given. */
  #handed = 0;
  /** Why it is closed. */
  why: string | undefined;

  constructor(
    door: Pick<Door, "id" | "wall" | "interface">,
    make: () => Promise<Gateway>,
    application: ListeningApplication | undefined,
  ) {
    this.#door = door;
    this.#make = make;
    this.#application = application;
  }

  /** Never rejects. */
  async start(): Promise<void> {
    try {
      await this.#application?.start();
      const gateway = await this.#make();
      this.#gateway = gateway;
      await gateway.start?.();
    } catch (reason) {
      this.why = SallyportError.from(reason).message;
      await this.close(0);
      this.#gateway = undefined;
    }
  }

  handle(exchange: Exchange): void {
    if (this.#gateway) return this.#gateway.handle(exchange);
    exchange.fail(new SallyportError("NOT_READY", `the door ${this.#door.id} is closed: ${this.why}`));
  }

  status(): GatewayStatus {
    return this.#gateway?.status?.() ?? statusWithoutProcesses(this.#door.interface);
  }

  leave(why?: Leaving): void {
    this.#gateway?.leave?.(why);
  }

  async close(grace: number): Promise<void> {
    await this.#gateway?.close?.(grace);
    await this.#application?.close();
  }

  /** The trace of a request, by which its process is known. `isShown`: its facts are wanted. */
  trace(isShown: boolean): DoorTrace {
    return new DoorTrace(this, isShown);
  }

  /** The application has a request now. */
  handedOver(known: number | undefined): Handed | undefined {
    this.#handed++;
    const pid = known ?? this.#onlyProcess();
    if (pid === undefined) return undefined;
    if (this.isProcessPerRequest) return { pid, answered: 1 };
    const answered = (this.#requests.get(pid) ?? 0) + 1;
    this.#requests.set(pid, answered);
    if (this.#requests.size > MOST_PROCESSES) this.#requests.delete([...this.#requests.keys()][0] as number);
    if (this.#application) this.#application.requests = answered;
    return { pid, answered };
  }

  /** The process as it is now; undefined when it has ended. `since`: when it got the request, as `performance.now()`. */
  factsOf({ pid, answered }: Handed, since: number): ServingProcess | undefined {
    const age = this.#ageOf(pid, since);
    if (age === undefined) return undefined;
    return { pid, age: age / 1000, answered, started: this.started, memory: residentMemory(pid) };
  }

  /** Processes of its own that it has started in all. */
  get started(): number {
    if (this.startsNone) return 0;
    if (this.isProcessPerRequest) return this.#handed;
    if (this.#application) return this.#application.started;
    const { bounds, restarts } = this.status();
    return (bounds?.min ?? 0) + restarts;
  }

  /** Those that there are now; the server's own where the application runs in it. */
  get pids(): number[] {
    if (this.startsNone) return [process.pid];
    const found = this.#application ? [this.#application.pid] : this.status().processes.map(({ pid }) => pid);
    return found.filter((pid) => pid !== undefined);
  }

  /** It runs in this process. */
  get startsNone(): boolean {
    return this.#door.wall === "call";
  }

  get isProcessPerRequest(): boolean {
    return this.#door.wall === "process";
  }

  /** Where the gateway does not say which process it was: there is no more than one. */
  #onlyProcess(): number | undefined {
    return this.isProcessPerRequest ? undefined : this.pids[0];
  }

  /** Milliseconds. */
  #ageOf(pid: number, since: number): number | undefined {
    if (pid === process.pid) return process.uptime() * 1000;
    if (this.isProcessPerRequest) return performance.now() - since;
    if (this.#application) return this.#application.pid === pid ? this.#application.age : undefined;
    return this.status().processes.find((each) => each.pid === pid)?.age;
  }
}

/** Milliseconds between two looks at the memory of a process that may end any moment. */
const LOOK_INTERVAL = 3;

/** Asks about the process when it gets the request, and again when it answers. */
export class DoorTrace extends Trace {
  readonly #door: DoorGateway;
  readonly #isShown: boolean;
  #handed: Handed | undefined;
  #looks: NodeJS.Timeout | undefined;
  process: ServingProcess | undefined;

  constructor(door: DoorGateway, isShown: boolean) {
    super();
    this.#door = door;
    this.#isShown = isShown;
  }

  override handedOver(pid?: number): void {
    super.handedOver(pid);
    if (!this.#isNew(pid)) return;
    this.#handed = this.#door.handedOver(pid);
    this.process = undefined;
    if (!this.#isShown) return;
    this.#look();
    if (this.#door.isProcessPerRequest) this.#looks ??= setInterval(() => this.#look(), LOOK_INTERVAL);
  }

  /** Not of a client that has left meanwhile, nor marked a second time. */
  #isNew(pid: number | undefined): boolean {
    return this.endedAt === 0 && (pid === undefined || this.#handed?.pid !== pid);
  }

  override head(head: ResponseHead): ResponseHead {
    clearInterval(this.#looks);
    if (this.#isShown) this.#look();
    return super.head(head);
  }

  override ended(outcome: Outcome): void {
    super.ended(outcome);
    clearInterval(this.#looks);
  }

  /** Its memory is the most that was seen. What was known of a process that has ended meanwhile stays. */
  #look(): void {
    const now = this.#handed && this.#door.factsOf(this.#handed, this.handedOverAt);
    if (now) this.process = { ...now, memory: largest(now.memory, this.process?.memory) };
  }
}

function largest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}
