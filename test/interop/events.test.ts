// Streams that stay open: server-sent events for longer than any deadline, whose clients leave, whose app is reloaded,
// whose server stops.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { missing } from "../kit/needs.ts";
import type { Served } from "../kit/serve.ts";
import { WebSocketClient } from "../kit/websocket-client.ts";
import { onlyOurs, serveAsgi } from "./asgi-site.ts";
import { EventReader } from "./event-reader.ts";
import { json } from "./site.ts";

/** Every deadline that could end a stream by mistake. */
const SHORT = ["--timeout", "--idle-timeout", "--body-timeout", "--send-timeout", "--head-timeout"].flatMap(
  (name) => [name, "4s"],
);

describe("server-sent events", { skip: missing("py:sse_starlette") }, () => {
  async function withSite(args: string[], act: (site: Served) => Promise<void>): Promise<void> {
    const site = await serveAsgi("app:app", "starlette_site", ...args);
    try {
      await act(site);
    } finally {
      await site.stop();
    }
  }

  test("a stream outlives every deadline: twenty seconds of beats and heartbeats, none lost, none late", () =>
    withSite(SHORT, async ({ url }) => {
      const events = await EventReader.open(`${url}/events?every=5&ping=1`);
      const kinds: string[] = [];
      for (let beats = 0; beats < 5; ) {
        const event = await events.next();
        assert.ok(event, "the stream has ended");
        if (event.event === "beat") assert.equal(event.data, `beat ${beats++}`);
        else kinds.push(Object.keys(event).join());
      }
      events.leave();
      assert.ok(kinds.length >= 8 && kinds.every((kind) => kind === ""), `heartbeats: ${kinds}`);
    }));

  test("the application is told when the client leaves, each of ten its own", () =>
    withSite([], async (site) => {
      const names = Array.from({ length: 10 }, (_, index) => `stream${index}`);
      const open = (name: string) => EventReader.open(`${site.url}/events?every=0.05&name=${name}`);
      const all = await Promise.all(names.map(open));
      for (const events of all) assert.equal((await events.next())?.data, "beat 0");
      for (const [index, events] of all.entries()) {
        if (index % 2 === 0) events.leave();
      }
      for (const [index, events] of all.entries()) {
        if (index % 2 === 0) await site.sees(new RegExp(`told: stream${index} ended`));
        else assert.equal((await events.next())?.data, "beat 1");
      }
      for (const events of all) events.leave();
      for (const name of names) await site.sees(new RegExp(`told: ${name} ended`));
    }));

  test(
    "a reload tells streams and WebSockets to come again, and the new generation goes on where they were",
    {
      skip: onlyOurs(),
    },
    () =>
      withSite([], async (site) => {
        const where = async () => (await json(fetch(`${site.url}/where`))).pid;
        const events = await EventReader.open(`${site.url}/events?every=0.02`);
        const client = await WebSocketClient.open(`${site.url}/json`);
        const pid = await where();
        assert.equal((await events.next())?.id, "0");
        process.kill(site.pid, "SIGHUP");
        const seen = await events.rest();
        assert.equal((await client.closed).code, 1012);
        assert.notEqual(await where(), pid);
        assert.deepEqual(
          seen.map(({ id }) => Number(id)),
          seen.map((_, index) => index + 1),
        );
        const last = { "Last-Event-ID": String(seen.length) };
        const again = await EventReader.open(`${site.url}/events?every=0.02`, last);
        assert.equal((await again.next())?.id, String(seen.length + 1));
        again.leave();
      }),
  );

  test("a server that stops tells its streams and its WebSockets, and ends in good order", {
    skip: onlyOurs(),
  }, async () => {
    const site = await serveAsgi("app:app", "starlette_site", "--grace", "20s");
    const events = await EventReader.open(`${site.url}/events?every=0.02&name=told`);
    const client = await WebSocketClient.open(`${site.url}/json`);
    assert.equal((await events.next())?.id, "0");
    const stopped = site.stop();
    assert.equal((await client.closed).code, 1001);
    await events.rest();
    assert.deepEqual(await stopped, { code: 0, signal: null });
    assert.match(site.stderr, /told: told ended/);
    assert.match(site.stderr, /told: json left/);
  });
});
