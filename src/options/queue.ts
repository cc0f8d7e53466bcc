// Options of gateways that have requests wait while the application is busy.
import { aWhole, type Checks, milliseconds } from "./checks.ts";

export interface QueueOptions {
  /** Requests that may wait for room; one more gets 503. Default 1024, for CGI 256. */
  readonly queue?: number | undefined;
  /** Milliseconds that a request may wait; then 503. 0: not at all. Default 30 s, for CGI 10 s. */
  readonly queueTimeout?: number | undefined;
}

export const QUEUE_CHECKS: Checks<QueueOptions> = { queue: aWhole, queueTimeout: milliseconds };
