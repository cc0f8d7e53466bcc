// The inspector over all server processes: what each of them has captured as one list, with ids that name the process.
// A server process that starts while capturing is on begins to capture as soon as the list is read.
import {
  CAPTURE_DURATION,
  type Inspector,
  type OpenRequest,
  type RecordingSummary,
} from "../control/inspection.ts";
import type { Operations } from "../control/operations.ts";
import { SallyportError } from "../exchange/index.ts";
import { type LogLine, type LogTail, MOST_LINES } from "../logs/tail.ts";

/** Recordings in the list. */
const SHOWN = 500;

export interface ListedRecording extends Omit<RecordingSummary, "id" | "replayOf"> {
  /** "4711-3": the third of server process 4711. */
  readonly id: string;
  readonly replayOf: string | undefined;
}

export interface CapturesView {
  readonly on: boolean;
  /** Milliseconds until it ends by itself. */
  readonly left: number;
  /** The latest first. */
  readonly recordings: readonly ListedRecording[];
}

export interface ListedRequest extends OpenRequest {
  readonly serverProcess: number | undefined;
}

export interface RequestsView {
  readonly total: number;
  /** The oldest first. */
  readonly requests: readonly ListedRequest[];
}

export interface LogView {
  /** The latest last; `id` tells lines of one process apart. */
  readonly lines: readonly LogLine[];
}

export class Inspections {
  readonly #operations: Pick<Operations, "inspectors">;
  readonly #tail: LogTail | undefined;
  /** `performance.now()`; 0 while nothing is to be captured. */
  #until = 0;

  /** `tail`: the log of this process, where that is not one of the server processes. */
  constructor(operations: Pick<Operations, "inspectors">, tail?: LogTail) {
    this.#operations = operations;
    this.#tail = tail;
  }

  /** Captures in all server processes from now on, for ten minutes at the most. */
  async begin(): Promise<void> {
    this.#until = performance.now() + CAPTURE_DURATION;
    await this.#ofAll((each) => each.ask({ inspect: "capture", duration: this.#left }));
  }

  /** What was captured stays. */
  async end(): Promise<void> {
    this.#until = 0;
    await this.#ofAll((each) => each.ask({ inspect: "capture", duration: 0 }));
  }

  async forget(): Promise<void> {
    await this.#ofAll((each) => each.ask({ inspect: "forget" }));
  }

  async captures(): Promise<CapturesView> {
    const lists = await this.#ofAll(async (each) => {
      const { left, recordings } = await each.ask({ inspect: "captures" });
      if (left === 0 && this.#left > 0) await each.ask({ inspect: "capture", duration: this.#left });
      return recordings.map((recording) => listed(recording, each));
    });
    const recordings = lists.flat().sort((one, other) => other.at - one.at);
    return { on: this.#left > 0, left: this.#left, recordings: recordings.slice(0, SHOWN) };
  }

  /** Rejects with NOT_FOUND. */
  async recording(id: string): Promise<object> {
    const [inspector, own] = this.#find(id);
    const view = (await inspector.ask({ inspect: "recording", id: own })) as RecordingSummary;
    return listed(view, inspector);
  }

  /** Gives the id of the new recording. Rejects with NOT_FOUND, NOT_REPLAYABLE, APP_UNKNOWN, QUEUE_FULL. */
  async replay(id: string, app: string | undefined): Promise<string> {
    const [inspector, own] = this.#find(id);
    return idOf(await inspector.ask({ inspect: "replay", id: own, app }), inspector);
  }

  async requests(): Promise<RequestsView> {
    const lists = await this.#ofAll(async (each) => ({
      pid: each.pid,
      ...(await each.ask({ inspect: "requests" })),
    }));
    const requests = lists.flatMap(({ pid, requests }) =>
      requests.map((request) => ({ ...request, serverProcess: pid })),
    );
    requests.sort((one, other) => other.age - one.age);
    return { total: lists.reduce((sum, { total }) => sum + total, 0), requests: requests.slice(0, SHOWN) };
  }

  /** Lines of all processes from this time on (milliseconds since 1970). */
  async log(since: number): Promise<LogView> {
    const own = (this.#tail?.since(since) ?? []).map((line) => withPid(line, process.pid));
    const others = await this.#ofAll(async (each) => {
      const lines = await each.ask({ inspect: "log", since });
      return lines.map((line) => withPid(line, each.pid));
    });
    const lines = [...own, ...others.flat()].sort((one, other) => one.at - other.at);
    return { lines: lines.slice(-MOST_LINES) };
  }

  get #left(): number {
    return Math.max(0, this.#until - performance.now());
  }

  /** The answers of those that answer: one that hangs or ends must not hide the others. */
  async #ofAll<T>(ask: (inspector: Inspector) => Promise<T>): Promise<T[]> {
    const answers = await Promise.allSettled(this.#operations.inspectors.map(ask));
    return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  }

  #find(id: string): readonly [Inspector, number] {
    const [, pid, own] = /^(\d{1,10})-(\d{1,15})$/.exec(id) ?? [];
    const inspector = this.#operations.inspectors.find((each) => `${each.pid}` === pid);
    if (inspector) return [inspector, Number(own)];
    throw new SallyportError(
      "NOT_FOUND",
      `there is no recording ${id}: the server process that had it has ended, or the number is wrong; GET /captures lists those that there are`,
    );
  }
}

/** A line that was inherited has that of its process. */
const withPid = (line: LogLine, pid: number | undefined): LogLine => ({ ...line, pid: line.pid ?? pid });

const idOf = (id: number, { pid }: Inspector): string => `${pid}-${id}`;

const listed = <T extends RecordingSummary>(recording: T, inspector: Inspector): T & ListedRecording => ({
  ...(recording as T & ListedRecording),
  id: idOf(recording.id, inspector),
  replayOf: recording.replayOf === undefined ? undefined : idOf(recording.replayOf, inspector),
});
