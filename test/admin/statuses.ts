// What a server may say of itself, with defaults for what a test does not care about.
import type { ServerProcessStatus, ServerStatus } from "../../src/control/operations.ts";
import type { GatewayStatus, ProcessState } from "../../src/exchange/index.ts";

export const serverStatus = (facts: Partial<ServerStatus>): ServerStatus => ({
  version: "1.2.3",
  pid: process.pid,
  startedAt: "2026-11-22T00:00:00.000Z",
  urls: [],
  state: "serving",
  serverProcesses: [processStatus({})],
  reloads: { ok: 0, failed: 0 },
  restarts: 0,
  ...facts,
});

export const processStatus = (facts: Partial<ServerProcessStatus>): ServerProcessStatus => ({
  pid: process.pid,
  state: "serving",
  age: 1_000,
  apps: {},
  ...facts,
});

interface AppFacts extends Partial<GatewayStatus> {
  /** Of its processes. */
  readonly states?: readonly ProcessState[];
}

export const appStatus = ({ states = [], ...facts }: AppFacts): GatewayStatus => ({
  interface: "WSGI",
  waiting: 0,
  restarts: 0,
  processes: states.map((state) => ({ pid: process.pid, state, age: 1_000, requests: 0, inFlight: 0 })),
  ...facts,
});
