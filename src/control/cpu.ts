// How much processor time the processes of a server take, as Linux says it: a share since the last look, and sums that only grow.
// Nothing is read while nobody asks. Where there is no /proc there is nothing of it.
import { readFileSync } from "node:fs";
import type { GatewayStatus, ProcessStatus } from "../exchange/index.ts";
import type { ServerProcessStatus, ServerStatus } from "./operations.ts";

/** Units of /proc in a second (USER_HZ): the same on all architectures. */
const TICKS = 100;
/** Milliseconds: a share of less time would be noise, as the units are 10 ms. */
const SHORTEST = 250;
/** Names of apps that have sums of their own; reloads may bring ever new ones. */
const MOST_APPS = 1_000;

export interface CpuSeconds {
  /** Of the server's own processes, embedded applications included. */
  readonly server: number;
  /** Of the processes of each app. */
  readonly apps: Readonly<Record<string, number>>;
}

/** What is known of a process since the last look at it. */
interface Known {
  /** When it was started: another process may have got its number. */
  readonly started: string;
  readonly seconds: number;
  readonly at: number;
  readonly percent: number;
}

type Add = (seconds: number) => void;
type Aged = { readonly pid: number | undefined; readonly age: number };

export class CpuTimes {
  #known = new Map<number, Known>();
  #seen = new Map<number, Known>();
  #server = 0;
  readonly #apps = new Map<string, number>();

  /** `status`, in which each process has its share. */
  measured(status: ServerStatus): ServerStatus {
    this.#seen = new Map();
    const addServer: Add = (seconds) => {
      this.#server += seconds;
    };
    const age = Date.now() - Date.parse(status.startedAt);
    const own = this.#share({ pid: status.pid, age }, addServer);
    const serverProcesses = status.serverProcesses.map((server) => this.#ofServer(server, addServer));
    this.#keepUnseen();
    this.#known = this.#seen;
    if (own === undefined) return status;
    return { ...status, cpu: own, serverProcesses, cpuSeconds: this.#seconds };
  }

  get #seconds(): CpuSeconds {
    return { server: this.#server, apps: Object.fromEntries(this.#apps) };
  }

  #ofServer(server: ServerProcessStatus, add: Add): ServerProcessStatus {
    const apps = Object.entries(server.apps).map(([name, app]) => [name, this.#ofApp(name, app)] as const);
    return { ...server, cpu: this.#share(server, add), apps: Object.fromEntries(apps) };
  }

  #ofApp(name: string, app: GatewayStatus): GatewayStatus {
    const add: Add = (seconds) => {
      const before = this.#apps.get(name);
      if (before !== undefined || this.#apps.size < MOST_APPS) this.#apps.set(name, (before ?? 0) + seconds);
    };
    const processes = app.processes.map((each): ProcessStatus => ({ ...each, cpu: this.#share(each, add) }));
    return { ...app, processes };
  }

  /** A server process that answers late leaves out its workers: what they have used is not counted again at the next look. */
  #keepUnseen(): void {
    for (const [pid, known] of this.#known)
      if (!this.#seen.has(pid) && usedBy(pid)?.started === known.started) this.#seen.set(pid, known);
  }

  /** Percent of one processor. A lone server is its own server process: it is measured once. */
  #share({ pid, age }: Aged, add: Add): number | undefined {
    if (pid === undefined) return undefined;
    const seen = this.#seen.get(pid) ?? this.#look(pid, age, add);
    if (seen) this.#seen.set(pid, seen);
    return seen?.percent;
  }

  #look(pid: number, age: number, add: Add): Known | undefined {
    const used = usedBy(pid);
    if (!used) return undefined;
    const known = this.#known.get(pid);
    const before = known?.started === used.started ? known : undefined;
    const at = performance.now();
    if (before && at - before.at < SHORTEST) return before;
    const seconds = used.seconds - (before?.seconds ?? 0);
    add(seconds);
    const time = Math.max(SHORTEST, before ? at - before.at : age) / 1_000;
    return { ...used, at, percent: Math.round((seconds / time) * 100) };
  }
}

/** Seconds, in user and system mode; undefined for a process that has ended (proc_pid_stat(5)). */
function usedBy(pid: number): Pick<Known, "started" | "seconds"> | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name, in parentheses, may have spaces. After it: the fields from the third on.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { started: fields[19] ?? "", seconds: (Number(fields[11]) + Number(fields[12])) / TICKS };
  } catch {
    return undefined;
  }
}
