// What can be asked of a server process about the requests that pass it: exchanges that were captured, and those under way.
// The questions and the answers travel between processes. src/inspect/ answers them.
import type { LogLine } from "../logs/tail.ts";

export type InspectQuestion =
  /** Captures for so many more milliseconds; 0 ends it. What was captured stays. */
  | { readonly inspect: "capture"; readonly duration: number }
  /** Forgets what was captured. */
  | { readonly inspect: "forget" }
  | { readonly inspect: "captures" }
  /** All that is known of one. Rejects with NOT_FOUND. */
  | { readonly inspect: "recording"; readonly id: number }
  /** Gives its request again to `app`, or to the same one. Rejects with NOT_FOUND, NOT_REPLAYABLE, APP_UNKNOWN, QUEUE_FULL. */
  | { readonly inspect: "replay"; readonly id: number; readonly app: string | undefined }
  | { readonly inspect: "requests" }
  /** Lines of the log from this time on (milliseconds since 1970). */
  | { readonly inspect: "log"; readonly since: number };

export interface InspectAnswers {
  readonly capture: undefined;
  readonly forget: undefined;
  readonly captures: CaptureList;
  /** Bytes are base64 in it. */
  readonly recording: object;
  /** The id of the new recording. */
  readonly replay: number;
  readonly requests: RequestList;
  /** In the order in which they came; not all of them when there are very many. */
  readonly log: readonly LogLine[];
}

type Kind = keyof InspectAnswers;

/** Milliseconds after which capturing ends by itself: a forgotten inspector must not cost for ever. */
export const CAPTURE_DURATION = 600_000;

/** One of several server processes, or the only one. */
export interface Inspector {
  readonly pid: number | undefined;
  /** Rejects with a SallyportError; NOT_READY when it does not answer in time. */
  ask<K extends Kind>(question: InspectQuestion & { readonly inspect: K }): Promise<InspectAnswers[K]>;
}

export interface CaptureList {
  /** Milliseconds for which it goes on; 0 while it is off. */
  readonly left: number;
  /** The latest first. */
  readonly recordings: readonly RecordingSummary[];
}

/** A line of the list. */
export interface RecordingSummary {
  readonly id: number;
  /** When it began: milliseconds since 1970. */
  readonly at: number;
  readonly app: string;
  readonly method: string;
  readonly target: string;
  /** 0 while there is no answer. */
  readonly status: number;
  /** Why the response was cut or refused. */
  readonly error: string | undefined;
  readonly over: boolean;
  /** Milliseconds from its beginning to its end, or to now. */
  readonly duration: number;
  /** Bytes of the response body. */
  readonly bytes: number;
  /** The recording whose request was given again. */
  readonly replayOf: number | undefined;
}

/** "client": nobody has it yet but us. "writing": the response has begun. */
export type RequestPhase = "client" | "queue" | "application" | "writing" | "websocket";

/** A request under way. */
export interface OpenRequest {
  /** Tells it from the others of its server process. */
  readonly id: number;
  readonly app: string;
  readonly method: string;
  readonly target: string;
  /** Milliseconds since it began. */
  readonly age: number;
  readonly phase: RequestPhase;
  /** The process that has it. */
  readonly pid: number | undefined;
}

export interface RequestList {
  /** How many there are. */
  readonly total: number;
  /** The oldest first; not all of them when there are very many. */
  readonly requests: readonly OpenRequest[];
}
