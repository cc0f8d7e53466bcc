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
  /** Counts the reloads and restarts of the application, from 1; absent where a reload has replaced the app itself. */
  readonly generation?: number | undefined;
  /** Percent of one processor since the last look, or since it was started; absent where that is not known. */
  readonly cpu?: number | undefined;
}

export interface GatewayStatus {
  /** "WSGI", "ASGI", "FastCGI", "CGI", "static", "answer", "redirect", "fetch", "node"; "Python" while it is not known yet which of them. */
  readonly interface: string;
  /** What runs it, with its version: "CPython 3.12.1", "Node 24.1.0"; undefined where that is not ours to know, or not known yet. */
  readonly runtime?: string | undefined;
  /** Absolute path of the Python virtual environment that it runs in, if it does. */
  readonly virtualEnvironment?: string | undefined;
  /** Requests that wait until the application takes them. */
  readonly waiting: number;
  /** Its processes; empty for an application in this process, or one that runs elsewhere. */
  readonly processes: readonly ProcessStatus[];
  /** Requests that it has been given, where it runs in the server process and counts them. */
  readonly requests?: number | undefined;
  /** How many processes there may be; undefined where their number is not ours to choose. */
  readonly bounds?: ProcessBounds | undefined;
  /** Processes that were started again because they ended, since the gateway started. */
  readonly restarts: number;
}

/** A place in Python code. Texts are cut to a limit. */
export interface StackFrame {
  readonly file: string;
  readonly line: number;
  readonly function: string;
  /** Without its indentation; "" where it cannot be read. */
  readonly source: string;
  /** It is the user's own code: not Python's library, not an installed package, not ours. */
  readonly app: boolean;
}

/** Where a request is at the moment. */
export interface RequestStack {
  readonly method: string;
  readonly target: string;
  /** Milliseconds since the process has it; without a trace to 250 ms. */
  readonly age: number;
  /** "thread": its own. "task": it waits on the event loop. "loop": it holds the event loop, and no other task goes on meanwhile. */
  readonly place: "thread" | "task" | "loop" | undefined;
  /** Outermost first; empty when it was not found, for it waits inside the process or has just ended. */
  readonly frames: readonly StackFrame[];
}

/** The requests of one process of a Python application, the oldest first. */
export interface ProcessStacks {
  readonly pid: number | undefined;
  readonly requests: readonly RequestStack[];
  /** Requests of the process that are not among them: there are too many, or their stacks too large. */
  readonly others: number;
  /** Why there are no stacks. */
  readonly reason?: string | undefined;
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
