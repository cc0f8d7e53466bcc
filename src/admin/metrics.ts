// The metrics by name: what the admin listener tells Prometheus, from the sums of all server processes and from what they say
// of themselves. docs/admin.md explains each; a test keeps the two together.
// Tested by test/admin/exposition.test.ts.
import type { ServerProcessState, ServerStatus } from "../control/operations.ts";
import type { GatewayStatus, ProcessState } from "../exchange/index.ts";
import type { Snapshot } from "../metrics/index.ts";
import {
  ACCEPTED,
  BODY_BYTES,
  BUCKETS,
  CUT,
  DURATION,
  FAULTS,
  faultSlot,
  HISTOGRAM,
  LAG,
  PHASE,
  PHASES,
  RECEIVED,
  REQUESTS,
  RESTARTS,
  requestLabels,
  SENT,
  sumOf,
} from "../metrics/slots.ts";
import { reasonsAgainst } from "./readiness.ts";

type Labels = Readonly<Record<string, string | number>>;

/** One line of the text: a value with its labels; `metricName` where it differs, as for the parts of a histogram. */
export interface Value {
  readonly value: number;
  readonly labels: Labels;
  readonly metricName?: string;
}

/** All that the metrics are made of. */
export interface View {
  readonly status: ServerStatus;
  readonly counts: Snapshot;
  /** Bytes of each process, by app. */
  readonly memory: ReadonlyMap<string, readonly number[]>;
  /** Bytes of our own processes. */
  readonly ownMemory: readonly number[];
}

export interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly values: (view: View) => readonly Value[];
}

const SERVER_STATES: readonly ServerProcessState[] = ["starting", "serving", "leaving", "not answering"];
const PROCESS_STATES: readonly ProcessState[] = ["starting", "idle", "busy", "draining"];

const one = (value: number, labels: Labels = {}): readonly Value[] => [{ value, labels }];
const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
const seconds = (date: string): number => Date.parse(date) / 1000;

/** What all server processes that answered say of each app. */
function appsOf({ serverProcesses }: ServerStatus): [string, GatewayStatus[]][] {
  const apps = new Map<string, GatewayStatus[]>();
  for (const process of serverProcesses)
    for (const [name, status] of Object.entries(process.apps))
      apps.set(name, [...(apps.get(name) ?? []), status]);
  return [...apps];
}

/** A value for each app, of what its gateways say. */
const byApp =
  (value: (gateways: readonly GatewayStatus[]) => number) =>
  ({ status }: View): Value[] =>
    appsOf(status).map(([app, gateways]) => ({ value: value(gateways), labels: { app } }));

/** Values for each app, of its slots. */
const bySlots =
  (values: (app: string, slots: readonly number[]) => readonly Value[]) =>
  ({ counts }: View): Value[] =>
    Object.entries(counts.apps).flatMap(([app, slots]) => values(app, slots));

const slotByApp = (slot: number) => bySlots((app, slots) => one(slots[slot] ?? 0, { app }));
const ownSlot =
  (slot: number) =>
  ({ counts }: View) =>
    one(counts.server[slot] ?? 0);

/** Only those that there were: most combinations of labels never are. */
const requests = (app: string, slots: readonly number[]): Value[] =>
  slots
    .slice(REQUESTS, CUT)
    .flatMap((value, at) =>
      value === 0 ? [] : [{ value, labels: { app, ...requestLabels(REQUESTS + at) } }],
    );

/** Buckets are cumulative: each holds those below it as well. */
function histogram(name: string, slots: readonly number[], first: number, labels: Labels): Value[] {
  let count = 0;
  const buckets = [...BUCKETS, "+Inf"].map((le, i) => {
    count += slots[first + i] ?? 0;
    return { value: count, labels: { ...labels, le }, metricName: `${name}_bucket` };
  });
  const total = { value: sumOf(slots, first) ?? 0, labels, metricName: `${name}_sum` };
  return [...buckets, total, { value: count, labels, metricName: `${name}_count` }];
}

function processStates({ status }: View): Value[] {
  return appsOf(status).flatMap(([app, gateways]) => {
    const states = gateways.flatMap(({ processes }) => processes.map(({ state }) => state));
    return PROCESS_STATES.map((state) => ({
      value: states.filter((each) => each === state).length,
      labels: { app, state },
    }));
  });
}

/** Where the number of processes is not ours to choose there is no limit to tell. */
function processLimits({ status }: View): Value[] {
  return appsOf(status).flatMap(([app, gateways]) => {
    const bounds = gateways.flatMap(({ bounds }) => bounds ?? []);
    if (bounds.length === 0) return [];
    return (["min", "max"] as const).map((bound) => ({
      value: sum(bounds.map((each) => each[bound])),
      labels: { app, bound },
    }));
  });
}

const serverStates = ({ status: { serverProcesses } }: View): Value[] =>
  SERVER_STATES.map((state) => ({
    value: serverProcesses.filter((process) => process.state === state).length,
    labels: { state },
  }));

const DURATIONS = "sallyport_request_duration_seconds";
const PHASE_DURATIONS = "sallyport_request_phase_seconds";
const EVENT_LOOP_LAG = "sallyport_event_loop_lag_seconds";

/** In the order of the text. */
export const METRICS: readonly Metric[] = [
  {
    name: "sallyport_build_info",
    type: "gauge",
    help: "Version of Sallyport and of Node; always 1.",
    values: ({ status }) => one(1, { version: status.version, node: process.versions.node }),
  },
  {
    name: "sallyport_start_time_seconds",
    type: "gauge",
    help: "When the server was started, in seconds since 1970.",
    values: ({ status }) => one(seconds(status.startedAt)),
  },
  {
    name: "sallyport_ready",
    type: "gauge",
    help: "Whether the server is ready, as /readyz says.",
    values: ({ status }) => one(reasonsAgainst(status).length === 0 ? 1 : 0),
  },
  {
    name: "sallyport_reloads_total",
    type: "counter",
    help: "Reloads of the configuration, by result.",
    values: ({ status: { reloads } }) =>
      (["ok", "failed"] as const).map((result) => ({ value: reloads[result], labels: { result } })),
  },
  {
    name: "sallyport_server_processes",
    type: "gauge",
    help: "Server processes, by state.",
    values: serverStates,
  },
  {
    name: "sallyport_server_process_restarts_total",
    type: "counter",
    help: "Server processes that ended by themselves, or hung, and were replaced.",
    values: ({ status }) => one(status.restarts),
  },
  {
    name: "sallyport_server_memory_bytes",
    type: "gauge",
    help: "Resident memory of the server's own processes, embedded applications included.",
    values: ({ ownMemory }) => one(sum(ownMemory)),
  },
  {
    name: "sallyport_server_cpu_seconds_total",
    type: "counter",
    help: "Processor time of the server's own processes, embedded applications included.",
    values: ({ status: { cpuSeconds } }) => (cpuSeconds ? one(cpuSeconds.server) : []),
  },
  {
    name: EVENT_LOOP_LAG,
    type: "histogram",
    help: "How late timers of server processes fire: how long their event loops are held.",
    values: ({ counts }) => histogram(EVENT_LOOP_LAG, counts.server, LAG, {}),
  },
  {
    name: "sallyport_connections_accepted_total",
    type: "counter",
    help: "Connections that were accepted.",
    values: ownSlot(ACCEPTED),
  },
  {
    name: "sallyport_connections_active",
    type: "gauge",
    help: "Connections that are open.",
    values: ({ counts }) => one(counts.connections),
  },
  {
    name: "sallyport_received_bytes_total",
    type: "counter",
    help: "Bytes received from clients, protocol and TLS included.",
    values: ownSlot(RECEIVED),
  },
  {
    name: "sallyport_sent_bytes_total",
    type: "counter",
    help: "Bytes sent to clients, protocol and TLS included.",
    values: ownSlot(SENT),
  },
  {
    name: "sallyport_requests_total",
    type: "counter",
    help: "Requests that are over, by app, method, protocol and class of the status.",
    values: bySlots(requests),
  },
  {
    name: "sallyport_responses_cut_total",
    type: "counter",
    help: "Requests whose response was not completed, by whose fault it was.",
    values: bySlots((app, slots) =>
      FAULTS.map((fault) => ({ value: slots[faultSlot(fault)] ?? 0, labels: { app, fault } })),
    ),
  },
  {
    name: "sallyport_response_body_bytes_total",
    type: "counter",
    help: "Bytes of response bodies.",
    values: slotByApp(BODY_BYTES),
  },
  {
    name: "sallyport_requests_in_flight",
    type: "gauge",
    help: "Requests under way, those that wait and open WebSockets included.",
    values: ({ counts }) =>
      Object.entries(counts.inFlight).map(([app, value]) => ({ value, labels: { app } })),
  },
  {
    name: "sallyport_requests_queued",
    type: "gauge",
    help: "Requests that wait until the application takes them.",
    values: byApp((gateways) => sum(gateways.map(({ waiting }) => waiting))),
  },
  {
    name: DURATIONS,
    type: "histogram",
    help: "From the head of a request to the end of its response; without WebSockets.",
    values: bySlots((app, slots) => histogram(DURATIONS, slots, DURATION, { app })),
  },
  {
    name: PHASE_DURATIONS,
    type: "histogram",
    help: "Parts of it: in the queue, in the application until the response begins, and writing the response.",
    values: bySlots((app, slots) =>
      PHASES.flatMap((phase, i) => histogram(PHASE_DURATIONS, slots, PHASE + i * HISTOGRAM, { app, phase })),
    ),
  },
  {
    name: "sallyport_app_processes",
    type: "gauge",
    help: "Processes of the application, by state.",
    values: processStates,
  },
  {
    name: "sallyport_app_processes_limit",
    type: "gauge",
    help: "How many processes of the application there may be at least and at most.",
    values: processLimits,
  },
  {
    name: "sallyport_app_process_restarts_total",
    type: "counter",
    help: "Processes of the application that were started again because they ended.",
    values: slotByApp(RESTARTS),
  },
  {
    name: "sallyport_app_cpu_seconds_total",
    type: "counter",
    help: "Processor time of the processes of the application.",
    values: ({ status: { cpuSeconds } }) =>
      Object.entries(cpuSeconds?.apps ?? {}).map(([app, value]) => ({ value, labels: { app } })),
  },
  {
    name: "sallyport_app_memory_bytes",
    type: "gauge",
    help: "Resident memory of all processes of the application.",
    values: ({ memory }) => [...memory].map(([app, bytes]) => ({ value: sum(bytes), labels: { app } })),
  },
  {
    name: "sallyport_app_process_memory_max_bytes",
    type: "gauge",
    help: "Resident memory of the application's largest process.",
    values: ({ memory }) =>
      [...memory].map(([app, bytes]) => ({ value: Math.max(0, ...bytes), labels: { app } })),
  },
];
