// Every bound of the HTTP/2 listener in one place. Those that HTTP/1.1 has too have the same name and number there.
import { HTTP_LIMITS, type HttpLimits } from "../../http/limits.ts";

/** The bounds that HTTP/1.1 has as well, with the same meaning for each stream. */
type SharedLimits = Pick<
  HttpLimits,
  | "target"
  | "headerBytes"
  | "headerCount"
  | "body"
  | "unsent"
  | "drain"
  | "connections"
  | "headTimeout"
  | "bodyTimeout"
  | "idleTimeout"
  | "sendTimeout"
  | "drainTimeout"
  | "lingerTimeout"
>;

/** The bounds of HTTP/2 alone. */
export interface StreamLimits {
  /** Requests at once on one connection. More: refused, so that the client tries again. */
  readonly streams: number;
  /** Bytes of a request body that a client may send before they are read. More: it waits. */
  readonly window: number;
  /** Requests that a client may cancel within ten seconds (CVE-2023-44487). From four fifths on, the connection takes no new ones; more: it ends. */
  readonly resets: number;
  /** PING and SETTINGS frames within ten seconds. More: the connection ends (CVE-2019-9512, CVE-2019-9515). */
  readonly controls: number;
  /** Malformed frames, and DATA frames with nothing in them, on one connection. More: it ends (CVE-2019-9518). */
  readonly invalidFrames: number;
}

export type Http2Limits = SharedLimits & StreamLimits;

export const STREAM_LIMITS: StreamLimits = {
  streams: 100,
  window: 262_144,
  resets: 500,
  controls: 10_000,
  invalidFrames: 100,
};

export const HTTP2_LIMITS: Http2Limits = { ...HTTP_LIMITS, ...STREAM_LIMITS };
