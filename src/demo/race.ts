// The race: the same load at each door in turn, while its figures go to the page as events. One at a time.
import { type Exchange, type Log, SallyportError } from "../exchange/index.ts";
import { residentMemory } from "../processes/index.ts";
import { LoadClients } from "./clients.ts";
import type { DoorName } from "./door.ts";
import type { DoorGateway } from "./door-gateway.ts";
import type { LoadReport, RaceLoad } from "./load-messages.ts";
import type { RaceKind, RaceRequest } from "./questions.ts";

export interface RaceTrack {
  /** Where the demonstration listens, without a slash at the end. */
  readonly url: () => string;
  /** Those that this machine can have, by name. */
  readonly doors: ReadonlyMap<string, DoorGateway>;
  /** Why one takes no part. */
  readonly whyClosed: (door: DoorName) => string | undefined;
  readonly log: Log;
}

/** Loads by kind. With `hello` each client asks again and again; with `wait` each asks once, and all at the same time. */
export const LOADS: Readonly<Record<RaceKind, Omit<RaceLoad, "url"> & { readonly query: string }>> = {
  hello: { requests: 500, connections: 8, deadline: 30_000, query: "name=you" },
  wait: { requests: 200, connections: 200, deadline: 10_000, query: "name=you&wait=1" },
};

/** Requests that are not measured: before the first door, which else would pay for the start of the clients, and at doors whose processes stay. */
const WARM_UP = { requests: 100, connections: 8, deadline: 10_000 };

const HOLDS_SERVER =
  "its calls run in the server's own process: a call that waits a second holds the server, and this page, for that second; 200 would hold it for minutes";

/** Milliseconds between two looks at the memory. */
const MEMORY_INTERVAL = 100;

export class Races {
  readonly #track: RaceTrack;
  #running: Race | undefined;

  constructor(track: RaceTrack) {
    this.#track = track;
  }

  /** Throws RACE_RUNNING. */
  begin(request: RaceRequest, exchange: Exchange): void {
    if (this.#running)
      throw new SallyportError(
        "RACE_RUNNING",
        "a race is under way, perhaps in another window: wait for its end",
      );
    const race = new Race(this.#track, request, exchange);
    this.#running = race;
    exchange.whenClosed(() => void race.close());
    void race.run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Ends the one that is under way. Never rejects. */
  async close(): Promise<void> {
    await this.#running?.close();
  }
}

class Race {
  readonly #track: RaceTrack;
  readonly #request: RaceRequest;
  readonly #exchange: Exchange;
  readonly #clients: LoadClients;

  constructor(track: RaceTrack, request: RaceRequest, exchange: Exchange) {
    this.#track = track;
    this.#request = request;
    this.#exchange = exchange;
    this.#clients = new LoadClients(track.log);
  }

  /** Never rejects. */
  async run(): Promise<void> {
    this.#exchange.start({ status: 200, reason: "", headers: EVENT_STREAM });
    try {
      await this.#clients.run({ ...WARM_UP, url: `${this.#track.url()}/` }, () => {});
      for (const door of this.#request.doors) await this.#at(door);
    } catch (error) {
      this.#send("failed", { message: (error as Error).message });
    }
    // Who has read the end may begin another race.
    await this.close();
    this.#send("end", {});
    this.#exchange.end();
  }

  async close(): Promise<void> {
    await this.#clients.close();
  }

  async #at(id: DoorName): Promise<void> {
    const door = this.#track.doors.get(id);
    const why = this.#whyNot(id);
    if (!door || why !== undefined) return this.#send("skipped", { id, why });
    this.#send("door", { id });
    const { query, ...load } = LOADS[this.#request.kind];
    const url = `${this.#track.url()}/${id}/hello?${query}`;
    // Its bar is there from the beginning, however soon the first report or the result comes.
    this.#send("sample", { id, done: 0, of: load.requests, rate: 0, seconds: 0 });
    if (this.#isWarmedUp(door)) await this.#clients.run({ ...WARM_UP, url }, () => {});
    const processes = new ProcessWatch(door);
    const last = await this.#clients
      .run({ ...load, url }, (report) => this.#sample(id, load.requests, report))
      .finally(() => processes.end());
    this.#sample(id, load.requests, last);
    this.#result(id, load.requests, last, processes);
  }

  /** What stays is measured as it is when it has run for a while; a new process is new each time. */
  #isWarmedUp(door: DoorGateway): boolean {
    return this.#request.kind === "hello" && !door.isProcessPerRequest;
  }

  #whyNot(id: DoorName): string | undefined {
    if (this.#request.kind === "wait" && id === "embedded") return HOLDS_SERVER;
    return this.#track.whyClosed(id);
  }

  #sample(id: DoorName, of: number, { done, seconds }: LoadReport): void {
    this.#send("sample", { id, done, of, rate: done / seconds, seconds });
  }

  #result(id: DoorName, of: number, report: LoadReport, { started, memory }: ProcessWatch): void {
    const { over: _, ...figures } = report;
    this.#send("result", { id, of, rate: figures.done / figures.seconds, ...figures, started, memory });
  }

  /** All events of a race are few: they need not wait for a slow client, whom the listener's limits end. */
  #send(event: string, data: object): void {
    if (!this.#exchange.closed)
      this.#exchange.write(Buffer.from(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
  }
}

/** What the processes of a door are while it is under load. */
class ProcessWatch {
  readonly #door: DoorGateway;
  readonly #startedBefore: number;
  readonly #running: number;
  readonly #timer: NodeJS.Timeout;
  /** Bytes of all of them together, the most that was seen; undefined where it cannot be read. */
  memory: number | undefined;

  constructor(door: DoorGateway) {
    this.#door = door;
    this.#startedBefore = door.started;
    this.#running = door.startsNone || door.isProcessPerRequest ? 0 : door.pids.length;
    this.#timer = setInterval(() => this.#look(), MEMORY_INTERVAL);
    this.#look();
  }

  /** Processes of its own that it used: those that it had, and those that were started. */
  get started(): number {
    return this.#running + this.#door.started - this.#startedBefore;
  }

  end(): void {
    clearInterval(this.#timer);
    this.#look();
  }

  #look(): void {
    const sizes = this.#door.pids.map(residentMemory).filter((size) => size !== undefined);
    if (sizes.length === 0) return;
    this.memory = Math.max(
      this.memory ?? 0,
      sizes.reduce((sum, size) => sum + size, 0),
    );
  }
}

const EVENT_STREAM = [
  "Content-Type",
  "text/event-stream",
  "Cache-Control",
  "no-store",
  "X-Accel-Buffering",
  "no",
];
