// What a gateway says about the application behind it. `sallyport status`, the admin listener and the metrics read it.

/** "idle": ready, without a request. "draining": it finishes what it has, and gets no more. */
export type ProcessState = "starting" | "idle" | "busy" | "draining" | "gone";

/** A process of an application. */
export interface ProcessStatus {
  readonly pid: number | undefined;
  readonly state: ProcessState;
  /** Milliseconds since it was started. */
  readonly age: number;
  /** Requests that it has been given. */
  readonly requests: number;
  /** Of them, those that are under way. */
  readonly inFlight: number;
}

export interface GatewayStatus {
  /** "WSGI", "ASGI", "FastCGI", "CGI", "static", "fetch", "node"; "Python" while it is not known yet which of them. */
  readonly interface: string;
  /** What runs it, with its version: "CPython 3.12.1", "Node 24.1.0"; undefined where that is not ours to know, or not known yet. */
  readonly runtime?: string | undefined;
  /** Absolute path of the Python virtual environment that it runs in, if it does. */
  readonly virtualEnvironment?: string | undefined;
  /** Requests that wait until the application takes them. */
  readonly waiting: number;
  /** Its processes; empty for an application in this process, or one that runs elsewhere. */
  readonly processes: readonly ProcessStatus[];
  /** How many processes there may be; undefined where their number is not ours to choose. */
  readonly bounds?: ProcessBounds | undefined;
  /** Processes that were started again because they ended, since the gateway started. */
  readonly restarts: number;
}

/** What a listener, or a server process, has to do. */
export interface Load {
  readonly connections: number;
  /** Requests under way. */
  readonly inFlight: number;
  /** Requests that were broken off when the time for the stop was over; undefined before that. */
  readonly cut?: number | undefined;
}

/** All of them together. */
export function totalLoad(loads: Iterable<Load | undefined>): Load {
  let [connections, inFlight] = [0, 0];
  let cut: number | undefined;
  for (const load of loads) {
    if (load?.cut !== undefined) cut = (cut ?? 0) + load.cut;
    connections += load?.connections ?? 0;
    inFlight += load?.inFlight ?? 0;
  }
  return { connections, inFlight, ...(cut === undefined ? {} : { cut }) };
}

/** `max` 1 or more, `min` 0 or more and at most `max`. */
export interface ProcessBounds {
  readonly min: number;
  readonly max: number;
}

/** Of an application that runs in this process. */
export const statusInProcess = (name: string): GatewayStatus => ({
  ...statusWithoutProcesses(name),
  runtime: `Node ${process.versions.node}`,
});

/** Of an application that has no processes which are ours. */
export const statusWithoutProcesses = (name: string, waiting = 0): GatewayStatus => ({
  interface: name,
  waiting,
  processes: [],
  restarts: 0,
});
