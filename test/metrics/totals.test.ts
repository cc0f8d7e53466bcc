// The sums over server processes: they keep what processes that ended have counted, and never go backwards.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Counts, type Snapshot, Totals } from "../../src/metrics/index.ts";
import { ACCEPTED, APP_SLOTS, RESTARTS, SERVER_SLOTS } from "../../src/metrics/slots.ts";

/** A process that has accepted and restarted so often, with so many connections and requests. */
function snapshot(accepted: number, restarts: number, connections = 0, inFlight = 0): Snapshot {
  const server = Array.from({ length: SERVER_SLOTS }, (_, i) => (i === ACCEPTED ? accepted : 0));
  const site = Array.from({ length: APP_SLOTS }, (_, i) => (i === RESTARTS ? restarts : 0));
  return { server, apps: { site }, connections, inFlight: { site: inFlight } };
}

const facts = (totals: Totals): unknown[] => {
  const { server, apps, connections, inFlight } = totals.sum();
  return [server[ACCEPTED], apps.site?.[RESTARTS], connections, inFlight.site];
};

test("reports of several processes are added, and a later one replaces an earlier one of its process", () => {
  const totals = new Totals();
  const [one, other] = [{}, {}];
  totals.report(one, snapshot(3, 1, 2, 1));
  totals.report(other, snapshot(5, 0, 1, 1));
  totals.report(one, snapshot(4, 1, 1, 0));
  assert.deepEqual(facts(totals), [9, 1, 2, 1]);
});

test("the counts of a process that ended stay; what was under way in it is gone", () => {
  const totals = new Totals();
  const [one, next] = [{}, {}];
  totals.report(one, snapshot(3, 1, 2, 1));
  totals.ended(one);
  assert.deepEqual(facts(totals), [3, 1, 0, undefined]);
  totals.report(next, snapshot(1, 0, 1, 0));
  assert.deepEqual(facts(totals), [4, 1, 1, 0]);
});

test("the last report of a process is counted even when it comes after its end", () => {
  const totals = new Totals();
  const [one, silent] = [{}, {}];
  totals.report(one, snapshot(3, 1, 2, 1));
  totals.ended(one);
  totals.report(one, snapshot(5, 2, 1, 1));
  totals.ended(silent);
  totals.report(silent, snapshot(1, 0, 1, 1));
  assert.deepEqual(facts(totals), [6, 2, 0, undefined]);
});

test("an app that appears later, or is gone, keeps its counts", () => {
  const totals = new Totals();
  const one = {};
  totals.report(one, { ...snapshot(1, 0), apps: {} });
  totals.report(one, snapshot(1, 2));
  totals.report(one, { ...snapshot(1, 0), apps: {} });
  assert.equal(totals.sum().apps.site?.[RESTARTS], 2);
});

test("a process without a request has reported all its slots", (t) => {
  const counts = new Counts();
  t.after(() => counts.close());
  const totals = new Totals();
  totals.report({}, JSON.parse(JSON.stringify(counts.snapshot())));
  assert.equal(totals.sum().server.length, SERVER_SLOTS);
  assert.ok(totals.sum().server.every(Number.isFinite));
});
