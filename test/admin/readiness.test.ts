// When a server is ready, by what it says of itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { reasonsAgainst } from "../../src/admin/readiness.ts";
import type { ServerProcessState, ServerState } from "../../src/control/operations.ts";
import type { GatewayStatus, ProcessState } from "../../src/exchange/index.ts";
import { appStatus, processStatus, serverStatus } from "./statuses.ts";

const reasons = (state: ServerState, ...processes: [ServerProcessState, Record<string, GatewayStatus>][]) =>
  reasonsAgainst(
    serverStatus({
      state,
      serverProcesses: processes.map(([state, apps]) => processStatus({ state, apps })),
    }),
  );
const site = (...states: ProcessState[]): { site: GatewayStatus } => ({
  site: appStatus({ bounds: { min: 1, max: 2 }, states }),
});

test("a server is ready while it serves, also during a reload", () => {
  assert.deepEqual(reasons("serving", ["serving", site("idle")]), []);
  assert.deepEqual(reasons("reloading", ["serving", site("starting", "busy")]), []);
});

test("it is not before it serves, nor from the moment that it stops", () => {
  assert.deepEqual(reasons("starting", ["starting", {}]), ["the server is starting"]);
  assert.deepEqual(reasons("stopping", ["serving", site("idle")]), ["the server is stopping"]);
});

test("an app needs one process that can take a request", () => {
  for (const states of [[], ["starting"], ["draining", "gone"]] as ProcessState[][])
    assert.deepEqual(reasons("serving", ["serving", site(...states)]), [
      "app site has no process that is ready",
    ]);
});

test("an app without processes of ours is ready, and so is one that may have none at the moment", () => {
  assert.deepEqual(reasons("serving", ["serving", { files: appStatus({}) }]), []);
  assert.deepEqual(reasons("serving", ["serving", { shop: appStatus({ bounds: { min: 0, max: 4 } }) }]), []);
});

test("one server process that serves is enough, but each that does needs every app", () => {
  assert.deepEqual(
    reasons("serving", ["serving", site("idle")], ["starting", {}], ["not answering", {}]),
    [],
  );
  assert.deepEqual(reasons("serving", ["not answering", {}]), ["no server process serves at the moment"]);
  assert.deepEqual(reasons("serving", ["serving", site("idle")], ["serving", site()], ["serving", site()]), [
    "app site has no process that is ready",
  ]);
});
