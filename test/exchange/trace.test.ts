// Every gateway marks the steps of an exchange that is traced, each after the one before.
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { staticFiles } from "../../src/apps/index.ts";
import { type Gateway, phasesOf, Trace } from "../../src/exchange/index.ts";
import { requestsIn } from "../../src/inspect/requests.ts";
import { asgi } from "../../src/protocols/asgi/index.ts";
import { cgi } from "../../src/protocols/cgi/index.ts";
import { wsgi } from "../../src/protocols/wsgi/index.ts";
import { RecordedExchange } from "../../src/testing/recorded.ts";
import { makeFolder } from "../kit/make-folder.ts";
import { until } from "../kit/until.ts";
import { GATEWAYS } from "../matrix/gateways.ts";
import { Scope } from "../matrix/scope.ts";

const APPS = fileURLToPath(new URL("../apps/conformance", import.meta.url));
/** Where the application has a process of its own that we have started. */
const WITH_PROCESS: ReadonlySet<string> = new Set(["wsgi", "asgi", "cgi"]);

interface Asked {
  readonly exchange: RecordedExchange;
  readonly trace: Trace;
  readonly done: Promise<unknown>;
}

/** A traced exchange with an application of the conformance suite that answers at once. */
function ask(gateway: Gateway, notes: string, more: object = { kind: "answer", body: "hello" }): Asked {
  const script = Buffer.from(JSON.stringify({ ...more, notes })).toString("base64url");
  const exchange = new RecordedExchange({ headers: ["x-conformance", script] });
  const trace = new Trace();
  exchange.trace = trace;
  const { done } = exchange;
  gateway.handle(exchange);
  return { exchange, trace, done };
}

const started = async (t: TestContext, gateway: Gateway): Promise<Gateway> => {
  t.after(() => gateway.close?.(0));
  await gateway.start?.();
  return gateway;
};

describe("an exchange that finds room", () => {
  for (const [name, { open }] of Object.entries(GATEWAYS))
    test(`${name}: is handed over, then answered, and was in no queue`, async (t) => {
      const scope = new Scope();
      t.after(() => scope.close());
      const gateway = await started(t, await open(scope));
      const { trace, done } = ask(gateway, join(makeFolder(t), "note-"));
      await done;
      assert.equal(trace.queuedAt, 0);
      assert.ok(trace.begun <= trace.headAt && trace.headAt <= trace.endedAt, JSON.stringify(trace));
      if (name !== "exchange")
        assert.ok(trace.begun <= trace.handedOverAt && trace.handedOverAt <= trace.headAt);
      assert.equal(trace.pid !== undefined, WITH_PROCESS.has(name));
      const { total, queue, application, write } = phasesOf(trace);
      assert.equal(queue, undefined);
      assert.ok((application ?? 0) + (write ?? 0) <= total);
    });
});

describe("an exchange that has to wait", () => {
  const options = { chdir: APPS, python: "python3" };
  const gateways: Readonly<Record<string, () => Gateway>> = {
    "for an inline WSGI worker, which has it already": () => wsgi("app", options),
    "for a thread": () => wsgi("app", { ...options, threads: 2 }),
    "for room in an event loop": () => asgi("asgi:application", { ...options, concurrency: 2 }),
    "for a CGI process": () => cgi({ program: `${APPS}/program.py`, processes: 2 }),
  };
  for (const [name, make] of Object.entries(gateways))
    test(`${name}: is queued, then handed over`, async (t) => {
      const gateway = await started(t, make());
      const notes = join(makeFolder(t), "note-");
      const asked = [1, 2, 3].map(() => ask(gateway, notes));
      await Promise.all(asked.map(({ done }) => done));
      // Programs are looked for at the same time: the last to be handed over need not be the last that was asked for.
      const traces = asked.map((one) => one.trace).toSorted((a, b) => a.handedOverAt - b.handedOverAt);
      const trace = traces[2] as Trace;
      assert.ok(trace.begun <= trace.queuedAt && trace.queuedAt <= trace.handedOverAt, JSON.stringify(trace));
      assert.ok(trace.handedOverAt <= trace.headAt);
      const first = Math.min(...traces.slice(0, 2).map(({ headAt }) => headAt));
      assert.ok(trace.handedOverAt >= first, "not before another one was answered");
    });
});

describe("an exchange that another gateway had first, and that is refused in the queue", () => {
  const options = { chdir: APPS, python: "python3" };
  const gateways: Readonly<Record<string, () => Gateway>> = {
    "an inline WSGI worker": () => wsgi("app", options),
    threads: () => wsgi("app", { ...options, threads: 2 }),
    "an event loop": () => asgi("asgi:application", { ...options, concurrency: 2 }),
    "CGI processes": () => cgi({ program: `${APPS}/program.py`, processes: 2 }),
  };
  for (const [name, make] of Object.entries(gateways))
    test(`${name}: waits as long as it does, and no application has it`, async (t) => {
      const inner = await started(t, make());
      const gateway = staticFiles({ directory: makeFolder(t), fallthrough: inner });
      const notes = join(makeFolder(t), "note-");
      const asked: Asked[] = [];
      for (let i = 0; i < 3; i++) {
        asked.push(ask(gateway, notes, { kind: "hang" }));
        const { trace } = asked[i] as Asked;
        await until(() => trace.queuedAt > 0 || trace.pid !== undefined);
      }
      const { exchange, trace, done } = asked[2] as Asked;
      await until(() => trace.queuedAt > 0);
      assert.equal(requestsIn([["shop", [exchange]]]).requests[0]?.phase, "queue");
      assert.deepEqual([trace.handedOverAt, trace.pid], [0, undefined]);
      await inner.close?.(0);
      await done;
      const { total, queue = -1, application: ran } = phasesOf(trace);
      assert.ok(queue >= 0 && queue <= total, `${queue}`);
      assert.equal(ran, undefined);
    });
});
