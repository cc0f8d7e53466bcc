// What can be asked of a running server, whether it has one server process or several. Signals, the control socket and the
// admin listener are three ways to the same calls.
// Tested by test/control/commands.test.ts.
import { readFileSync } from "node:fs";
import type { GatewayStatus, Load, ProcessBounds, ProcessStacks } from "../exchange/index.ts";
import type { CpuSeconds } from "./cpu.ts";
import type { Inspector } from "./inspection.ts";

export type ServerState = "starting" | "serving" | "reloading" | "stopping";

/** "leaving": it finishes what it has. "not answering": it did not say within a second how it is. */
export type ServerProcessState = "starting" | "serving" | "leaving" | "not answering";

export interface ServerProcessStatus extends Partial<Load> {
  readonly pid: number | undefined;
  readonly state: ServerProcessState;
  /** Milliseconds since it was started. */
  readonly age: number;
  /** Counts the reloads of the server, from 1; absent where there is only one server process, which stays. */
  readonly generation?: number | undefined;
  /** Percent of one processor since the last look, or since it was started; absent where that is not known. */
  readonly cpu?: number | undefined;
  /** By the names of the apps; empty unless it answered. */
  readonly apps: Readonly<Record<string, GatewayStatus>>;
}

export interface ReloadStatus {
  /** When it ended (ISO 8601). */
  readonly at: string;
  readonly ok: boolean;
  /** Why it failed. */
  readonly message?: string;
}

export interface ReloadCounts {
  ok: number;
  failed: number;
}

export interface ServerStatus {
  readonly version: string;
  /** The process that obeys signals: the server, or the supervisor of its server processes. */
  readonly pid: number;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly urls: readonly string[];
  readonly state: ServerState;
  readonly serverProcesses: readonly ServerProcessStatus[];
  readonly lastReload?: ReloadStatus;
  /** Reloads since it was started, by how they ended. */
  readonly reloads: ReloadCounts;
  /** Server processes that ended by themselves, or hung, and were replaced. */
  readonly restarts: number;
  /** Of the main process, as for the others. */
  readonly cpu?: number | undefined;
  /** Processor time since the server was started, as far as it was seen: by a look before the process ended. */
  readonly cpuSeconds?: CpuSeconds | undefined;
}

/** Every method that rejects does so with a SallyportError. */
export interface Operations {
  /** The server processes that serve, for the inspector. */
  readonly inspectors: readonly Inspector[];
  /** Never rejects, and takes little more than a second even where a server process does not answer. */
  status(): Promise<ServerStatus>;
  /**
   * Reads the configuration again, and makes what is new before it lets go of what was. Rejects with the reason when that
   * failed; then everything is as it was.
   */
  reload(): Promise<void>;
  /** Begins to stop, as SIGTERM does; a second call changes nothing. */
  stop(): void;
  /** A new generation of one app, without losing a request. Rejects with APP_UNKNOWN, or the reason why it did not start. */
  restart(app: string): Promise<void>;
  /** How many processes of the app each server process may have, until the next reload. Rejects with APP_UNKNOWN, NOT_SCALABLE. */
  scale(app: string, bounds: ProcessBounds): Promise<void>;
  /**
   * Where the requests of the app are in its Python code. Rejects with APP_UNKNOWN or STACKS_UNAVAILABLE; a process that does not answer
   * within a second or two has a reason instead.
   */
  stacks(app: string): Promise<readonly ProcessStacks[]>;
}

/** What stands beside a server and calls its operations: the control socket, the admin listener. */
export interface Attached {
  /** Never rejects. */
  close(): Promise<void>;
}

/** Called before the server starts. Rejects with a SallyportError; then the server does not start. */
export type Attach = (operations: Operations) => Promise<Attached>;

/** The version of Sallyport. */
export function ownVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
