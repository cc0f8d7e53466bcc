// The table of `sallyport status`.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerStatus } from "../../src/control/operations.ts";
import { lapse, statusText } from "../../src/control/table.ts";

const NOW = Date.parse("2026-01-01T12:00:00Z");
const process = { pid: 31, state: "busy", age: 61_000, cpu: 7, requests: 1_234, inFlight: 2 } as const;
const shop = {
  interface: "WSGI",
  runtime: "CPython 3.12.1",
  waiting: 3,
  restarts: 0,
  processes: [process, { ...process, pid: 4_032 }],
};
const files = { interface: "static", waiting: 0, restarts: 0, processes: [] };
const status: ServerStatus = {
  version: "1.2.3",
  pid: 7,
  startedAt: "2026-01-01T09:54:59Z",
  urls: ["http://127.0.0.1:8000"],
  state: "serving",
  serverProcesses: [
    {
      pid: 8,
      state: "serving",
      age: 7_501_000,
      cpu: 112,
      connections: 12,
      inFlight: 2,
      apps: { shop, files },
    },
    { pid: 9, state: "not answering", age: 5_000, apps: {} },
  ],
  lastReload: { at: "2026-01-01T11:59:00Z", ok: false, message: "no\u001b[31m site" },
  reloads: { ok: 0, failed: 1 },
  restarts: 0,
};

test("it has a line for each process, in columns", () => {
  assert.equal(
    statusText(status, NOW),
    `sallyport 1.2.3 · process 7 · serving · started 2 h 5 min ago
  http://127.0.0.1:8000
last reload 1 min ago failed: no?[31m site

SERVER PROCESS  STATE          AGE          CPU  CONNECTIONS  IN FLIGHT
             8  serving        2 h 5 min  112 %           12          2
             9  not answering  5 s            -            -          -

APP    INTERFACE  RUNTIME         QUEUE   PID  STATE  AGE        CPU  REQUESTS  IN FLIGHT  SERVER
files  static     -                   0     -  -      -            -         -          -       8
shop   WSGI       CPython 3.12.1      3    31  busy   1 min 1 s  7 %      1234          2       8
shop   WSGI       CPython 3.12.1      3  4032  busy   1 min 1 s  7 %      1234          2       8
`,
  );
});

test("bounds are shown where the number of processes may change", () => {
  const scaled = { ...files, bounds: { min: 1, max: 4 } };
  const serverProcesses = [{ ...status.serverProcesses[0], apps: { shop: scaled } }];
  const text = statusText({ ...status, serverProcesses } as ServerStatus, NOW);
  assert.match(text, /^shop \(1 to 4\) {2}static/m);
});

test("times are the two largest units", () => {
  assert.deepEqual([0, 999, 59_000, 3_600_000, 90_061_000].map(lapse), [
    "0 s",
    "0 s",
    "59 s",
    "1 h",
    "1 d 1 h",
  ]);
});
