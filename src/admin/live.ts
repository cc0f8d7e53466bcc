// The live data of the dashboard: one message a second to each page that is open, as server-sent events. While no page is
// open nothing is asked.
// Tested by test/admin/inspection.test.ts.
import type { ServerStatus } from "../control/operations.ts";
import { type Exchange, SallyportError } from "../exchange/index.ts";
import type { Snapshot } from "../metrics/index.ts";
import {
  BODY_BYTES,
  BUCKETS,
  CUT,
  DURATION,
  RECEIVED,
  REQUESTS,
  SENT,
  STATUSES,
  sumOf,
} from "../metrics/slots.ts";
import type { AdminSource } from "./endpoints.ts";
import type { CapturesView, Inspections, RequestsView } from "./inspection.ts";
import { residentBytes } from "./memory.ts";

/** Pages that may be open at the same time. */
export const MOST_STREAMS = 8;
const INTERVAL = 1_000;

/** What has been counted of an app since the server was started; the page draws the differences. */
interface AppCounts {
  /** Requests that are over, by class of the status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Requests by duration, a number for each of `bounds` and one for all that took longer. */
  readonly durations: readonly number[];
  /** Seconds of all of them. */
  readonly seconds: number;
  readonly bytes: number;
  readonly cut: number;
}

export interface LiveData {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly status: ServerStatus;
  /** Bytes by pid; empty where there is no /proc. */
  readonly memory: Readonly<Record<string, number>>;
  /** Upper bounds of `durations`, in seconds. */
  readonly bounds: readonly number[];
  readonly apps: Readonly<Record<string, AppCounts>>;
  readonly received: number;
  readonly sent: number;
  readonly requests: RequestsView;
  readonly captures: Pick<CapturesView, "on" | "left"> & {
    /** Changes when the list of recordings does. */
    readonly state: string;
  };
}

/** Everything that the dashboard shows, now. */
export async function liveData(
  { operations, counts }: AdminSource,
  inspections: Inspections,
): Promise<LiveData> {
  const [status, requests, captures] = await Promise.all([
    operations.status(),
    inspections.requests(),
    inspections.captures(),
  ]);
  const { apps, server } = counts();
  return {
    at: Date.now(),
    status,
    memory: await memoryOf(status),
    bounds: BUCKETS,
    apps: countsByApp(apps),
    received: server[RECEIVED] ?? 0,
    sent: server[SENT] ?? 0,
    requests,
    captures: { on: captures.on, left: captures.left, state: stateOf(captures) },
  };
}

const countsByApp = (apps: Snapshot["apps"]): Record<string, AppCounts> =>
  Object.fromEntries(Object.entries(apps).map(([name, slots]) => [name, countsOfApp(slots)]));

function countsOfApp(slots: readonly number[]): AppCounts {
  const statuses: Record<string, number> = Object.fromEntries(STATUSES.map((name) => [name, 0]));
  for (let slot = REQUESTS; slot < CUT; slot++) {
    const name = STATUSES[(slot - REQUESTS) % STATUSES.length] as string;
    statuses[name] = (statuses[name] ?? 0) + (slots[slot] ?? 0);
  }
  return {
    statuses,
    durations: slots.slice(DURATION, DURATION + BUCKETS.length + 1),
    seconds: sumOf(slots, DURATION) ?? 0,
    bytes: slots[BODY_BYTES] ?? 0,
    cut: slots.slice(CUT, BODY_BYTES).reduce((sum, count) => sum + count, 0),
  };
}

async function memoryOf({ pid, serverProcesses }: ServerStatus): Promise<Record<string, number>> {
  const own = serverProcesses.map((each) => each.pid);
  const theirs = serverProcesses.flatMap(({ apps }) =>
    Object.values(apps).flatMap(({ processes }) => processes.map((each) => each.pid)),
  );
  const pids = [...new Set([pid, ...own, ...theirs])].filter((each) => each !== undefined);
  const sizes: Record<string, number> = {};
  for (const each of pids) {
    const size = await residentBytes(each);
    if (size !== undefined) sizes[each] = size;
  }
  return sizes;
}

const stateOf = ({ recordings }: CapturesView): string =>
  `${recordings.length} ${recordings[0]?.id} ${recordings.filter(({ over }) => over).length}`;

/** The pages that are open. */
export class LiveStreams {
  readonly #data: () => Promise<LiveData>;
  /** With whether the client takes more. */
  readonly #streams = new Map<Exchange, { ready: boolean }>();
  #timer: NodeJS.Timeout | undefined;
  #asking = false;

  constructor(data: () => Promise<LiveData>) {
    this.#data = data;
  }

  /** Throws QUEUE_FULL when there are too many. */
  check(): void {
    if (this.#streams.size >= MOST_STREAMS)
      throw new SallyportError(
        "QUEUE_FULL",
        `${MOST_STREAMS} dashboards are open, and no more may be; close one`,
      );
  }

  open(exchange: Exchange): void {
    exchange.start({ status: 200, reason: "", headers: EVENT_STREAM });
    if (exchange.request.method === "HEAD") return exchange.end();
    this.#streams.set(exchange, { ready: true });
    exchange.whenClosed(() => this.#closed(exchange));
    this.#timer ??= setInterval(() => void this.#tick(), INTERVAL).unref();
    void this.#tick();
  }

  /** Ends all. */
  close(): void {
    for (const exchange of this.#streams.keys()) exchange.end();
  }

  #closed(exchange: Exchange): void {
    this.#streams.delete(exchange);
    if (this.#streams.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** A question that takes longer than a second is not asked again meanwhile. */
  async #tick(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      const message = Buffer.from(`data: ${JSON.stringify(await this.#data())}\n\n`);
      for (const [exchange, state] of this.#streams) if (state.ready) send(exchange, state, message);
    } finally {
      this.#asking = false;
    }
  }
}

/** A client that reads slowly misses messages. */
function send(exchange: Exchange, state: { ready: boolean }, message: Uint8Array): void {
  state.ready = exchange.write(message);
  if (!state.ready)
    exchange.whenDrained(() => {
      state.ready = true;
    });
}

const EVENT_STREAM = [
  "Content-Type",
  "text/event-stream",
  "Cache-Control",
  "no-store",
  "X-Accel-Buffering",
  "no",
];
