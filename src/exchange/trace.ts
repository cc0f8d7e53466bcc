// When the steps of an exchange happened. Present only where something reads it (access log, metrics, dashboard): the sides
// of the exchange mark their step if there is a trace, and nothing of it costs anything otherwise.
//
//   begun -> queued -> handed over -> head -> ended
//
// A request that finds room is never queued; one that the server answers itself is never handed over.

import type { Outcome, ResponseHead } from "./exchange.ts";

/** Times are milliseconds, as `performance.now()` gives them; 0 for what has not happened. */
export class Trace {
  /** The listener has read the head of the request. */
  readonly begun: number = performance.now();
  /** It waits: the application takes no more at the moment. The last time, when it waited again. */
  queuedAt = 0;
  /**
   * The application has it: a worker, a connection, a new process, a function. The last time, when it was tried again; 0 while it
   * waits again, as after an application that has passed it on, or failed it before it was begun.
   */
  handedOverAt = 0;
  /** The head of the response was given. */
  headAt = 0;
  /** The response is complete or was cut, or the client is gone. */
  endedAt = 0;
  /** Name of the app in the configuration. */
  app: string | undefined = undefined;
  /** Process that has it; undefined for an application elsewhere or in this process. */
  pid: number | undefined = undefined;

  queued(): void {
    this.queuedAt = performance.now();
    this.handedOverAt = 0;
    this.pid = undefined;
  }

  /** It was queued, and no application had it since. */
  get waits(): boolean {
    return this.queuedAt !== 0 && this.handedOverAt === 0;
  }

  /** To the app of this name, by the one that had it. */
  passedOn(_app: string): void {}

  handedOver(pid?: number): void {
    this.handedOverAt = performance.now();
    this.pid = pid;
  }

  /** What is sent instead of `head`. */
  head(head: ResponseHead): ResponseHead {
    this.headAt = performance.now();
    return head;
  }

  /** Called once. */
  ended(_outcome: Outcome): void {
    this.endedAt = performance.now();
  }

  /** Whether `answered` is to be called. */
  readonly captures: boolean = false;

  /** Bytes that came from the application, as they came: the output of a program, the content of STDOUT, frames of the link. */
  answered(_bytes: Uint8Array): void {}
}

/** Milliseconds of each phase of an exchange that has ended; undefined for a phase that it did not have. */
export interface Phases {
  /** From its beginning to its end. */
  readonly total: number;
  /** In the queue. */
  readonly queue: number | undefined;
  /** From the hand-over to the head of the response. */
  readonly application: number | undefined;
  /** From the head to the end. */
  readonly write: number | undefined;
}

export function phasesOf({ begun, queuedAt, handedOverAt, headAt, endedAt }: Trace): Phases {
  const end = endedAt || performance.now();
  return {
    total: end - begun,
    queue: queuedAt ? (handedOverAt || end) - queuedAt : undefined,
    application: handedOverAt ? (headAt || end) - handedOverAt : undefined,
    write: headAt ? end - headAt : undefined,
  };
}
