// The race: its events have true counts, it shows what tells the interfaces apart, and it ends when nobody looks.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { missing } from "../kit/needs.ts";
import { commandOf, descendantsOf, gone } from "../kit/processes.ts";
import type { Served } from "../kit/serve.ts";
import { until } from "../kit/until.ts";
import { askRace, json, type RaceEvent, raceEvents, startDemo } from "./start-demo.ts";

let site: Served;
before(async () => {
  site = await startDemo();
});
after(() => site.stop());

const result = (events: readonly RaceEvent[], id: string): RaceEvent["data"] =>
  events.find(({ event, data }) => event === "result" && data.id === id)?.data ??
  assert.fail(JSON.stringify(events));

const skip = missing("python3");

test("500 requests start 500 processes of CGI, and none where the process stays", { skip }, async () => {
  const events = await raceEvents(site, { kind: "hello", doors: ["cgi", "wsgi", "fetch"] });
  assert.deepEqual(
    events.filter(({ event }) => event !== "sample").map(({ event, data }) => [event, data.id]),
    [
      ["door", "cgi"],
      ["result", "cgi"],
      ["door", "wsgi"],
      ["result", "wsgi"],
      ["door", "fetch"],
      ["result", "fetch"],
      ["end", undefined],
    ],
  );
  for (const id of ["cgi", "wsgi", "fetch"]) {
    const { failed, of, rate, seconds, p50, p99, memory, done } = result(events, id);
    assert.deepEqual({ failed, of }, { failed: 0, of: 500 });
    assert.ok(done === 500 || id === "cgi", `${id}: ${done}`);
    assert.ok(Math.abs(rate - done / seconds) < 0.001 && p50 <= p99 && memory > 1_000_000);
  }
  const { started, done } = result(events, "cgi");
  assert.ok(started >= done && started <= 500 + 8, `${started} processes, ${done} requests`);
  assert.equal(result(events, "wsgi").started, 1);
  assert.equal(result(events, "fetch").started, 0);
  const samples = events.filter(({ event, data }) => event === "sample" && data.id === "cgi");
  assert.ok(samples.length >= 2, "the bar moves");
  const counts = samples.map(({ data }) => data.done);
  assert.deepEqual(
    counts,
    counts.toSorted((one, other) => one - other),
  );
});

test("ASGI answers 200 clients who wait, and a process of one thread is cut off", { skip }, async () => {
  const events = await raceEvents(site, { kind: "wait", doors: ["asgi", "wsgi", "embedded"] });
  const { done, cut, failed } = result(events, "asgi");
  assert.deepEqual({ done, cut, failed }, { done: 200, cut: false, failed: 0 });
  const wsgi = result(events, "wsgi");
  assert.equal(wsgi.cut, true);
  assert.ok(wsgi.done >= 1 && wsgi.done <= 10, `${wsgi.done} answers in ten seconds`);
  const skipped = events.find(({ event }) => event === "skipped")?.data;
  assert.equal(skipped?.id, "embedded");
  assert.match(skipped?.why ?? "", /holds the server/);
});

test("there is one race at a time, and it ends with its client", { skip }, async () => {
  const children = descendantsOf(site.pid).length;
  const leaving = new AbortController();
  const first = await askRace(site, { kind: "wait", doors: ["wsgi"] }, { signal: leaving.signal });
  assert.equal(first.headers.get("content-type"), "text/event-stream");
  const second = await json<{ code: string; message: string }>(`${site.url}/demo/race`, {
    method: "POST",
    body: '{"kind":"hello"}',
  });
  assert.equal(second.code, "ERR_SALLYPORT_RACE_RUNNING");
  assert.match(second.message, /wait for its end/);
  leaving.abort();
  await until(async () => {
    const again = await askRace(site, { kind: "hello", doors: ["fetch"] });
    await again.text();
    return again.status === 200;
  });
  await until(() => descendantsOf(site.pid).length <= children);
});

test("when the process of the clients is killed, the race says so and ends; another one works", {
  skip,
}, async () => {
  const race = raceEvents(site, { kind: "hello", doors: ["cgi"] });
  const clients = (): number | undefined =>
    descendantsOf(site.pid).find((pid) => /demo\/load\.[jt]s/.test(commandOf(pid)));
  await until(() => clients() !== undefined);
  process.kill(clients() as number, "SIGKILL");
  const events = await race;
  assert.deepEqual(
    events.slice(-2).map(({ event }) => event),
    ["failed", "end"],
  );
  const again = await raceEvents(site, { kind: "hello", doors: ["node"] });
  assert.equal(result(again, "node").done, 500);
});

test("the end of the demonstration ends the race and its clients", { skip }, async (t) => {
  const other = await startDemo();
  t.after(() => other.stop());
  const race = await askRace(other, { kind: "hello", doors: ["cgi"] });
  const reader = race.body?.getReader() ?? assert.fail();
  await reader.read();
  const children = descendantsOf(other.pid);
  assert.deepEqual(await other.stop(), { code: 0, signal: null });
  await Promise.all(children.map(gone));
});
