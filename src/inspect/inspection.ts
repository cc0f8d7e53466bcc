// Answers what is asked of one server process: its captured exchanges, and its requests under way. It exists only where
// there is an admin listener. What makes the views is loaded with the first one.
// Tested by test/admin/inspection.test.ts.
import type { InspectAnswers, InspectQuestion } from "../control/inspection.ts";
import { type Gateway, SallyportError } from "../exchange/index.ts";
import type { LogTail } from "../logs/tail.ts";
import type { Counts } from "../metrics/index.ts";
import type { InspectedServer, ServerInspection } from "../server/interface.ts";
import { Captures } from "./captures.ts";
import { type ReplayedExchange, replayedExchange } from "./replay.ts";
import { requestsIn } from "./requests.ts";

/** Replays under way. */
const MOST_REPLAYS = 8;

type Asked<K extends InspectQuestion["inspect"]> = Extract<InspectQuestion, { inspect: K }>;
type Answer<K extends InspectQuestion["inspect"]> = InspectAnswers[K] | Promise<InspectAnswers[K]>;
type Acts = { readonly [K in InspectQuestion["inspect"]]: (question: Asked<K>) => Answer<K> };

export class Inspection implements ServerInspection {
  readonly #captures = new Captures({}, ({ id }) =>
    this.#replays.get(id)?.giveUp("its recording was forgotten"),
  );
  readonly #counts: Pick<Counts, "open">;
  readonly #tail: LogTail;
  readonly #server: InspectedServer;
  /** Those under way, by the ids of their recordings. */
  readonly #replays = new Map<number, ReplayedExchange>();

  readonly #acts: Acts = {
    capture: ({ duration }) => void this.#captures.begin(duration),
    forget: () => void this.#captures.clear(),
    captures: () => this.#captures.list(),
    recording: ({ id }) => this.#view(id),
    replay: ({ id, app }) => this.#replay(id, app),
    log: ({ since }) => this.#tail.since(since),
    requests: () => requestsIn(this.#counts.open()),
  };

  constructor(counts: Pick<Counts, "open">, tail: LogTail, server: InspectedServer) {
    this.#counts = counts;
    this.#tail = tail;
    this.#server = server;
  }

  around(gateway: Gateway, app: string): Gateway {
    return this.#captures.around(gateway, app);
  }

  async answer(question: InspectQuestion): Promise<unknown> {
    return this.#acts[question.inspect](question as never);
  }

  leave(): void {
    for (const replay of [...this.#replays.values()]) replay.giveUp("the server leaves");
  }

  async #view(id: number): Promise<object> {
    const recording = this.#captures.find(id);
    const { shownRecording } = await import("./shown.ts");
    return shownRecording(recording, this.#server);
  }

  #replay(id: number, app: string | undefined): number {
    const recording = this.#captures.find(id);
    const name = app ?? recording.app;
    const { gateway } = this.#server.app(name);
    if (this.#replays.size >= MOST_REPLAYS)
      throw new SallyportError("QUEUE_FULL", `${MOST_REPLAYS} replays are under way; wait until one is over`);
    const exchange = replayedExchange(recording, this.#captures.most, this.#server.log);
    return this.#give(exchange, name, gateway, id);
  }

  #give(exchange: ReplayedExchange, app: string, gateway: Gateway, replayOf: number): number {
    const captured = this.#captures.capture(exchange, app, replayOf);
    const { id } = captured.recording;
    this.#replays.set(id, exchange);
    exchange.whenClosed(() => this.#replays.delete(id));
    gateway.handle(captured);
    return id;
  }
}
