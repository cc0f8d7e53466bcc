// The counts of a server process: each exchange once, by bounded labels; bytes of connections; the event loop.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { type Exchange, type GatewayStatus, SallyportError } from "../../src/exchange/index.ts";
import { Counts, NO_APP } from "../../src/metrics/index.ts";
import {
  ACCEPTED,
  APP_SLOTS,
  BODY_BYTES,
  BUCKETS,
  CUT,
  DURATION,
  faultSlot,
  HISTOGRAM,
  LAG,
  observe,
  PHASE,
  RECEIVED,
  REQUESTS,
  RESTARTS,
  requestLabels,
  SENT,
  sumOf,
} from "../../src/metrics/slots.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { until } from "../kit/until.ts";

const OK = { status: 200, reason: "", headers: [] };

const counts = (t: { after(undo: () => void): void }): Counts => {
  const made = new Counts();
  t.after(() => made.close());
  return made;
};

/** The requests of an app that were counted, by their labels. */
function requestsOf(made: Counts, app: string): Record<string, number> {
  const slots = made.snapshot().apps[app] ?? [];
  const found: Record<string, number> = {};
  for (let slot = REQUESTS; slot < CUT; slot++) {
    const { method, protocol, status } = requestLabels(slot);
    const count = slots[slot] ?? 0;
    if (count > 0) found[`${method} ${protocol} ${status}`] = count;
  }
  return found;
}

const countOf = (slots: readonly number[], first: number): number =>
  slots.slice(first, first + BUCKETS.length + 1).reduce((sum, count) => sum + count, 0);

function passed(
  made: Counts,
  answer: (exchange: Exchange) => string | undefined,
  request: object = {},
): void {
  made.counting(answer, "http")(new RecordedExchange(request));
}

test("each request is counted once, by method, protocol and class of its status", (t) => {
  const made = counts(t);
  const answering = (status: number) => (exchange: Exchange) => {
    exchange.respond({ ...OK, status }, "hello");
    return "site";
  };
  passed(made, answering(200));
  passed(made, answering(204), { method: "POST" });
  passed(made, answering(404), { method: "BREW" });
  passed(made, answering(999), { method: "PURGE" });
  assert.deepEqual(requestsOf(made, "site"), {
    "GET http/1.1 2xx": 1,
    "POST http/1.1 2xx": 1,
    "other http/1.1 4xx": 1,
    "other http/1.1 5xx": 1,
  });
  const slots = made.snapshot().apps.site as number[];
  assert.equal(slots[BODY_BYTES], 15);
  assert.equal(countOf(slots, DURATION), 4);
});

test("the protocol is that of the listener where it is not HTTP", (t) => {
  const made = counts(t);
  const answer = (exchange: Exchange): string => {
    exchange.respond(OK, "");
    return "site";
  };
  made.counting(answer, "fastcgi")(new RecordedExchange());
  made.counting(answer, "gopher")(new RecordedExchange());
  assert.deepEqual(requestsOf(made, "site"), { "GET fastcgi 2xx": 1, "GET other 2xx": 1 });
});

test("a request without an app is counted, too", (t) => {
  const made = counts(t);
  passed(made, (exchange) => {
    exchange.fail(new SallyportError("NOT_FOUND", "no route"));
    return undefined;
  });
  assert.deepEqual(requestsOf(made, NO_APP), { "GET http/1.1 4xx": 1 });
});

test("a response that was cut is counted by whose fault it was", (t) => {
  const made = counts(t);
  passed(made, (exchange) => {
    exchange.start(OK);
    exchange.fail(new SallyportError("APP_ABORTED", "enough"));
    return "site";
  });
  const slots = made.snapshot().apps.site as number[];
  assert.equal(slots[faultSlot("app")], 1);
  assert.equal(slots[faultSlot("client")], 0);
});

test("a request is in flight until its exchange is over", (t) => {
  const made = counts(t);
  let open: Exchange | undefined;
  passed(made, (exchange) => {
    open = exchange;
    return "site";
  });
  assert.equal(made.snapshot().inFlight.site, 1);
  assert.deepEqual(requestsOf(made, "site"), {});
  open?.respond(OK, "");
  assert.equal(made.snapshot().inFlight.site, 0);
  assert.deepEqual(requestsOf(made, "site"), { "GET http/1.1 2xx": 1 });
});

test("a request that an app passes on is the next app's: in flight, and once it is over", (t) => {
  const made = counts(t);
  for (const atOnce of [true, false]) {
    const pass = (exchange: Exchange): void => {
      exchange.facts = { app: "api" };
      exchange.trace?.passedOn("api");
    };
    let open: Exchange | undefined;
    passed(made, (exchange) => {
      open = exchange;
      if (atOnce) pass(exchange);
      return "files";
    });
    if (!atOnce) pass(open as Exchange);
    const { inFlight } = made.snapshot();
    assert.deepEqual([inFlight.files ?? 0, inFlight.api], [0, 1]);
    open?.respond(OK, "");
  }
  assert.deepEqual(requestsOf(made, "api"), { "GET http/1.1 2xx": 2 });
  assert.deepEqual(requestsOf(made, "files"), {});
  assert.deepEqual([made.snapshot().inFlight.files, made.snapshot().inFlight.api], [0, 0]);
});

test("phases are counted where the request had them; without a wait the queue took 0 s", (t) => {
  const made = counts(t);
  passed(made, (exchange) => {
    exchange.trace?.handedOver();
    exchange.respond(OK, "");
    return "site";
  });
  passed(made, (exchange) => {
    exchange.respond(OK, "");
    return "site";
  });
  const slots = made.snapshot().apps.site as number[];
  const phases = [0, 1, 2].map((i) => countOf(slots, PHASE + i * HISTOGRAM));
  assert.deepEqual(phases, [1, 1, 2]);
  assert.equal(sumOf(slots, PHASE), 0);
});

test("a duration is in the first bucket that is not below it", () => {
  const slots = new Float64Array(APP_SLOTS);
  for (const seconds of [0, 0.001, 0.0011, 60, 61]) observe(slots, DURATION, seconds);
  const buckets = [...slots.slice(DURATION, DURATION + BUCKETS.length + 1)];
  assert.deepEqual(buckets, BUCKETS.map((_, i) => [2, 1][i] ?? (i === BUCKETS.length - 1 ? 1 : 0)).concat(1));
  assert.equal(sumOf(slots, DURATION), 121.0021);
});

test("restarts are added up when a gateway that begins at 0 replaces another one", (t) => {
  const made = counts(t);
  const status = (restarts: number): GatewayStatus => ({
    interface: "WSGI",
    waiting: 0,
    processes: [],
    restarts,
  });
  for (const restarts of [2, 3, 0, 1]) made.snapshot([["site", status(restarts)]]);
  assert.equal(made.snapshot().apps.site?.[RESTARTS], 4);
});

test("no more than a thousand apps are counted apart", (t) => {
  const made = counts(t);
  for (let i = 0; i < 1_100; i++)
    passed(made, (exchange) => {
      exchange.respond(OK, "");
      return `app${i}`;
    });
  const { apps } = made.snapshot();
  assert.equal(Object.keys(apps).length, 1_001);
  assert.deepEqual(requestsOf(made, NO_APP), { "GET http/1.1 2xx": 100 });
});

test("connections and their bytes are counted while they are open, and stay counted", async (t) => {
  const made = counts(t);
  const accepted: Socket[] = [];
  const server = createServer((socket) => {
    made.connection(socket);
    accepted.push(socket.resume());
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const client = connect(port, "127.0.0.1");
  client.write("hello");
  await until(() => made.snapshot().server[RECEIVED] === 5);
  accepted[0]?.write("welcome");
  await once(client, "data");
  const open = made.snapshot();
  assert.deepEqual([open.connections, open.server[ACCEPTED], open.server[SENT]], [1, 1, 7]);
  client.destroy();
  await until(() => made.snapshot().connections === 0);
  const { server: closed } = made.snapshot();
  assert.deepEqual([closed[ACCEPTED], closed[RECEIVED], closed[SENT]], [1, 5, 7]);
});

test("the event loop is measured, and a blocked one shows", async (t) => {
  const made = counts(t);
  await until(() => countOf(made.snapshot().server, LAG) > 0);
  for (const end = performance.now() + 300; performance.now() < end; );
  await until(() => sumOf(made.snapshot().server, LAG) > 0.15);
});

test("the place of an exchange that has ended is used again, whichever ends first", (t) => {
  const made = counts(t);
  const under: RecordedExchange[] = [];
  const begin = (): void => {
    const exchange = new RecordedExchange({});
    under.push(exchange);
    made.counting(() => "shop", "http")(exchange);
  };
  const end = (at: number): void => under.splice(at, 1)[0]?.respond(OK, "");
  for (let i = 0; i < 3; i++) begin();
  for (const at of [1, 0]) end(at);
  begin();
  const [[, open] = assert.fail()] = [...made.open()];
  assert.deepEqual(new Set(open), new Set(under));
  assert.deepEqual([open.size, made.snapshot().inFlight.shop], [2, 2]);
  for (let i = 0; i < 100; i++) {
    begin();
    end(i % 3);
  }
  assert.deepEqual(new Set(open), new Set(under));
  assert.equal(open.size, 2);
});
