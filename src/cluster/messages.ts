// The messages between the supervisor and its server processes, over Node's IPC channel.
// Tested by test/cluster/supervisor.test.ts.
import type { ListenAddress } from "../config/address.ts";
import type { Settings } from "../config/config.ts";
import type { InspectQuestion } from "../control/inspection.ts";
import type { SentError } from "../control/sent-error.ts";
import type { PythonLibrary } from "../embedded/library.ts";
import type { ProcessBounds } from "../exchange/index.ts";
import type { LogLine } from "../logs/tail.ts";
import type { Snapshot } from "../metrics/index.ts";

/** What a server process is asked, and answers. */
export type Question =
  | { readonly ask: "status" }
  | { readonly ask: "stacks"; readonly app: string }
  | { readonly ask: "inspect"; readonly question: InspectQuestion }
  | { readonly ask: "restart"; readonly app: string }
  | { readonly ask: "scale"; readonly app: string; readonly bounds: ProcessBounds };

/** Requests that each embedded app has been given. */
export type RequestCounts = Readonly<Record<string, number>>;

export type ToServerProcess =
  | { readonly do: "stop" }
  /** A successor serves already: clients are sent there, and then it ends. Connections that wait are accepted for so long (ms). */
  | { readonly do: "leave"; readonly patience: number }
  | { readonly do: "reopen" }
  | { readonly do: "answer"; readonly id: number; readonly question: Question };

export type FromServerProcess =
  /** It serves. */
  | { readonly say: "ready" }
  /** It cannot start, for this reason, and ends. */
  | { readonly say: "failed"; readonly failure: SentError }
  /** The heartbeat: its event loop turns. Requests are counted where they are limited. */
  | { readonly say: "beat"; readonly requests?: RequestCounts | undefined }
  /** For the metrics: with each heartbeat, before the answer to a question about its status, and at its end. */
  | { readonly say: "counts"; readonly counts: Snapshot }
  /** The last lines of its log, where something reads them: at its end. */
  | { readonly say: "log"; readonly lines: readonly LogLine[] }
  /** It stops: what is under way, and what it has broken off. Said until it ends. */
  | { readonly say: "stopping"; readonly inFlight: number; readonly cut: number }
  | { readonly say: "answer"; readonly id: number; readonly value?: unknown; readonly failure?: SentError };

/** Milliseconds between two heartbeats of a server process. */
export const HEARTBEAT_INTERVAL = 500;

/** Milliseconds between two messages of one that stops. */
export const STOPPING_INTERVAL = 200;

/** Milliseconds for which a leaving server process waits for its clients' next requests, whose responses end their connections. */
export const EXIT_GRACE = 1_000;

/** What is served, as the supervisor has read it: a server process that is started again must not meet a file that was changed since. */
export interface Handed {
  readonly settings: Settings;
  readonly directory: string;
  /** Those of embedded interpreters that the supervisor has found. */
  readonly libraries: readonly PythonLibrary[];
}

/** What a server process gets from its supervisor. */
export interface ServerProcessTask {
  /** Where it listens: at the descriptors that its supervisor handed down. */
  readonly listen: readonly ListenAddress[];
  /** The descriptor of the channel to its supervisor; the small numbers below it are to be released. */
  readonly channel: number;
  /** The descriptor of the scoreboard, and the slot there for the number of its connections (scoreboard.ts). */
  readonly scoreboard: number;
  readonly slot: number;
  /** The settings come as the first message; otherwise it reads them itself. */
  readonly isHanded: boolean;
}

/** Present in a server process: bin/sallyport.js goes by it. */
export const SERVER_PROCESS_VARIABLE = "SALLYPORT_SERVER_PROCESS";

/** The supervisor's task, in a process that has one. Removes the variable, so that no application inherits it. */
export function takeTask(): ServerProcessTask {
  const { [SERVER_PROCESS_VARIABLE]: text = "" } = process.env;
  delete process.env[SERVER_PROCESS_VARIABLE];
  return JSON.parse(text) as ServerProcessTask;
}

/** What has come since the settings, until `hear` is called: Node drops a message for which there is no listener any more. */
const early: ToServerProcess[] = [];
const keep = (message: ToServerProcess): void => void early.push(message);

/** What the supervisor sends first where the task says so. */
export function takeHanded(): Promise<Handed> {
  return new Promise((resolve) =>
    process.once("message", (handed: Handed) => {
      process.on("message", keep);
      resolve(handed);
    }),
  );
}

/** Has `listener` called with each message of the supervisor, those first that came while this process was loading. */
export function hear(listener: (message: ToServerProcess) => void): void {
  process.on("message", listener);
  process.off("message", keep);
  for (const message of early.splice(0)) listener(message);
}
