// A replay has no client who could leave, so that the inspector ends it: by size, by time, with its recording, with the server.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { CaptureList } from "../../src/control/inspection.ts";
import { WholeBody } from "../../src/exchange/body.ts";
import { type Exchange, type Outcome, silentLog } from "../../src/exchange/index.ts";
import { CAPTURE_LIMITS } from "../../src/inspect/captures.ts";
import { Inspection } from "../../src/inspect/inspection.ts";
import { REPLAY_TIMEOUT } from "../../src/inspect/replay.ts";
import { LogTail } from "../../src/logs/tail.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { until } from "../kit/until.ts";

const HEAD = { status: 200, reason: "", headers: [] };

/** A captured request, and what becomes of its replays, to which the app answers with `handle`. */
async function captured(handle: (exchange: Exchange) => void) {
  const ends: Outcome[] = [];
  let begun = 0;
  const gateway = {
    handle(exchange: Exchange) {
      if (begun++ === 0) return exchange.respond(HEAD, "");
      exchange.whenClosed((outcome) => ends.push(outcome));
      handle(exchange);
    },
  };
  const app = () => ({ gateway, settings: {} });
  const server = { log: silentLog, directory: "", app, interfaceOf: () => "WSGI" };
  const inspection = new Inspection({ open: function* () {} }, new LogTail(), server as never);
  await inspection.answer({ inspect: "capture", duration: 60_000 });
  const around = inspection.around(gateway, "shop");
  around.handle(new RecordedExchange());
  const replay = (id = 1) => inspection.answer({ inspect: "replay", id, app: undefined }) as Promise<number>;
  return { inspection, around, ends, replay };
}

const codes = (ends: readonly Outcome[]) => ends.map(({ error }) => error?.code);
const LEFT = "ERR_SALLYPORT_CLIENT_LEFT";

test("a replay whose response has no end is over once its recording is full", async () => {
  let sent = 0;
  const pour = (exchange: Exchange): void => {
    const piece = Buffer.alloc(4_096);
    do sent += piece.length;
    while (exchange.write(piece));
    exchange.whenDrained(() => pour(exchange));
  };
  const { ends, replay } = await captured((exchange) => {
    exchange.start(HEAD);
    pour(exchange);
  });
  await replay();
  await until(() => ends.length > 0);
  assert.deepEqual(codes(ends), [LEFT]);
  assert.ok(sent <= CAPTURE_LIMITS.bytes + 2 * 4_096, `${sent} bytes were taken`);
});

test("a replay whose response fits is complete", async () => {
  const { ends, replay } = await captured((exchange) => {
    exchange.start(HEAD);
    exchange.write(Buffer.alloc(CAPTURE_LIMITS.bytes));
    exchange.whenDrained(() => exchange.end());
  });
  await replay();
  await until(() => ends.length > 0);
  assert.deepEqual([ends[0]?.complete, ends[0]?.bytes], [true, CAPTURE_LIMITS.bytes]);
});

test("a replay that says nothing is over after a time", async (t: TestContext) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { ends, replay } = await captured((exchange) => exchange.start(HEAD));
  await replay();
  t.mock.timers.tick(REPLAY_TIMEOUT - 1);
  assert.deepEqual(ends, []);
  t.mock.timers.tick(1);
  assert.deepEqual(codes(ends), [LEFT]);
});

test("a replay ends with its recording, and with the server", async () => {
  const { inspection, around, ends, replay } = await captured((exchange) => exchange.start(HEAD));
  await replay();
  for (let i = 0; i < CAPTURE_LIMITS.exchanges; i++) {
    assert.deepEqual(ends, []);
    around.handle(new RecordedExchange());
  }
  assert.deepEqual(codes(ends), [LEFT], "its recording went when others came");
  const { recordings } = (await inspection.answer({ inspect: "captures" })) as CaptureList;
  await replay(recordings[0]?.id);
  await inspection.answer({ inspect: "forget" });
  assert.deepEqual(codes(ends), [LEFT, LEFT], "it was forgotten");
  around.handle(new RecordedExchange());
  const [latest] = ((await inspection.answer({ inspect: "captures" })) as CaptureList).recordings;
  await replay(latest?.id);
  inspection.leave();
  assert.deepEqual(codes(ends), [LEFT, LEFT, LEFT]);
});

test("what a FastCGI Filter got with its request is not kept, so that it is not replayed without it", async () => {
  const { around, replay } = await captured(() => {});
  const exchange = new RecordedExchange();
  exchange.facts = { filterData: { body: new WholeBody(Buffer.from("data")), lastModified: undefined } };
  around.handle(exchange);
  await assert.rejects(replay(2), { code: "ERR_SALLYPORT_NOT_REPLAYABLE", message: /Filter/ });
});
