// What a server can do, and what it is made with.
import type { Socket } from "node:net";
import type { AppSettings } from "../config/config.ts";
import type { InspectQuestion } from "../control/inspection.ts";
import type { ServerProcessStatus } from "../control/operations.ts";
import type { Gateway, Log, ProcessBounds, ProcessStacks } from "../exchange/index.ts";
import type { LogTail } from "../logs/tail.ts";
import type { Counts } from "../metrics/index.ts";
import type { App, Reread } from "./change.ts";
import type { AppSummary } from "./summary.ts";

export interface ServerOptions {
  /** Relative paths of the configuration start here; the working directory otherwise. */
  readonly directory?: string;
  /** Replaces the log that the configuration describes. */
  readonly log?: Log;
  /** Called first with each connection. */
  readonly accepted?: (socket: Socket) => void;
  /** Counts requests and connections, for the metrics. */
  readonly counts?: Counts;
  /** Sees the exchanges on their way to the apps, for the inspector. */
  readonly inspection?: (server: InspectedServer) => ServerInspection;
  /** Gets the lines of the server's own log. */
  readonly tail?: LogTail;
  /** Called when logs are open and certificates read, before any app is loaded: to give rights up. */
  readonly beforeApps?: () => void;
  /** The applications are being worked on. */
  readonly development?: Development;
  /** The process is this server's alone, and ends with it. */
  readonly ownProcess?: boolean;
  /** The configuration as it is now, for a reload. Without it the settings never change. */
  readonly reread?: Reread;
}

/** What stands around applications while they are being developed. */
export interface Development {
  /** The gateway of an app; `make` gives its own, a new one at each call. */
  gateway(name: string, app: AppSettings, log: Log, make: () => Promise<Gateway>): Gateway;
}

/** What the inspector needs of a server. */
export interface InspectedServer {
  readonly log: Log;
  readonly directory: string;
  /** As it is now. Throws APP_UNKNOWN. */
  app(name: string): App;
  /** "WSGI", "static"; "Python" while it is not known which. Throws APP_UNKNOWN. */
  interfaceOf(name: string): string;
}

/** The inspector's part of a server. */
export interface ServerInspection {
  /** What routes give exchanges to instead of `gateway`. */
  around(gateway: Gateway, app: string): Gateway;
  /** Rejects with a SallyportError. */
  answer(question: InspectQuestion): Promise<unknown>;
  /** Ends what it has begun: the apps are about to end. */
  leave?(): void;
}

export interface Server {
  readonly log: Log;
  /** Starts the apps, then listens. Resolves with the URLs; rejects with a SallyportError and leaves nothing behind. */
  start(): Promise<readonly string[]>;
  /**
   * Answers the one request for which a web server started this process as a CGI program, without listening. Stops the
   * apps, too, and resolves with the exit code. Never rejects: a failure becomes the response. `nph`: the web server adds
   * nothing to it.
   */
  answerCgi(nph?: boolean): Promise<number>;
  /**
   * Starts new generations of the apps that can have one, and reads certificates again. One reload at a time: a request
   * during one causes another after it. Rejects with all failures; what failed stays as it was.
   */
  reload(): Promise<void>;
  /** Where it listens. */
  readonly urls: readonly string[];
  /** How it is at the moment, as one server process. */
  status(): ServerProcessStatus;
  /** What it serves, app by app. */
  summaries(): readonly AppSummary[];
  /** A new generation of one app. Rejects with APP_UNKNOWN, or with the reason why it did not start; then the old one stays. */
  restart(app: string): Promise<void>;
  /** Other bounds for the processes of one app, until the next reload. Rejects with APP_UNKNOWN or NOT_SCALABLE. */
  scale(app: string, bounds: ProcessBounds): Promise<void>;
  /** Where the requests of one app are in its Python code. Rejects with APP_UNKNOWN or STACKS_UNAVAILABLE. */
  stacks(app: string): Promise<readonly ProcessStacks[]>;
  /** Answers the inspector. Rejects with NOT_FOUND where there is none. */
  inspect(question: InspectQuestion): Promise<unknown>;
  /** Opens log files anew, after log rotation has moved them away. */
  reopenLogs(): void;
  /**
   * Accepts no more, and ends each connection with its next response, which says so, so that no request is lost to a
   * closed connection. Then `stop` it. With `patience` (milliseconds) it accepts the connections that wait before that.
   */
  leave(patience?: number): Promise<void>;
  /** Stops in phases; requests under way have `grace` milliseconds (the configuration's otherwise). Never rejects. */
  stop(grace?: number): Promise<void>;
}
