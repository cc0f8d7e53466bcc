// What an authorizer's 200 adds to a request, and when a request that it let pass is said to wait.
import assert from "node:assert/strict";
import { test } from "node:test";
import { phasesOf, Trace } from "../../../src/exchange/index.ts";
import { Running } from "../../../src/exchange/running.ts";
import { authorized, fastcgi } from "../../../src/protocols/fastcgi/index.ts";
import { authorizerVariables } from "../../../src/protocols/fastcgi/server/authorizer.ts";
import { RecordedExchange } from "../../../src/testing/recorded.ts";
import { until } from "../../kit/until.ts";
import { RawApplication, type StartedGateway, startGateway } from "./raw-application.ts";

test("F19: fields that begin with Variable- are variables, and no variable has a hyphen", () => {
  const headers = ["Variable-REMOTE_USER", "ann", "variable-X-TEAM", "blue", "X", "y"];
  // lighttpd's own authorizer relies on the underscore.
  const expected = { REMOTE_USER: "ann", X_TEAM: "blue" };
  assert.deepEqual(Object.fromEntries(authorizerVariables({ status: 200, reason: "", headers })), expected);
});

function traced({ gateway }: StartedGateway): RecordedExchange & { trace: Trace } {
  const exchange = Object.assign(new RecordedExchange(), { trace: new Trace() });
  gateway.handle(exchange);
  return exchange;
}

test("a request that an authorizer let pass waits in the application's queue, and no application has it", async (t) => {
  const authorizer = await RawApplication.start(t);
  const { address } = await RawApplication.start(t, { values: { FCGI_MAX_CONNS: "1" } });
  const started = await startGateway(t, { address, authorizer: { address: authorizer.address } });
  const [, { trace, done }] = [traced(started), traced(started)];
  for (let i = 0; i < 2; i++) (await authorizer.next()).answer("", "Status: 200 OK");
  await until(() => trace.queuedAt > 0);
  assert.ok(trace.waits);
  await started.gateway.close?.(0);
  await done;
  const { total, queue = -1, application } = phasesOf(trace);
  assert.ok(queue >= 0 && queue <= total, `${queue}`);
  assert.equal(application, undefined);
});

test("a request that is sent again was in the queue since its first attempt", async (t) => {
  const application = await RawApplication.start(t, { values: { FCGI_MAX_CONNS: "1" } });
  const started = await startGateway(t, { address: application.address });
  const first = started.ask();
  (await application.next()).answer("first");
  await first;
  const { trace, done } = traced(started);
  const attempt = await application.next();
  const handedOver = trace.handedOverAt;
  attempt.socket.end();
  (await application.next()).answer("again");
  await done;
  assert.ok(handedOver > 0 && handedOver < trace.queuedAt, "it waits from the end of the attempt on");
  assert.ok(trace.queuedAt <= trace.handedOverAt && !trace.waits);
});

test("F19: the variables of two authorizers reach the application; of one that both add, the later", async (t) => {
  const application = await RawApplication.start(t);
  const [first, second] = [await RawApplication.start(t), await RawApplication.start(t)];
  const inner = fastcgi({ address: application.address, authorizer: { address: second.address } });
  const gateway = authorized({ address: first.address }, inner);
  const running = new Running();
  await running.start(gateway);
  t.after(() => running.close(0));
  const exchange = new RecordedExchange();
  gateway.handle(exchange);
  (await first.next()).answer("", "Status: 200 OK", "Variable-ONE: 1", "Variable-BOTH: 1");
  const question = await second.next();
  assert.equal(question.params.ONE, "1");
  question.answer("", "Status: 200 OK", "Variable-TWO: 2", "Variable-BOTH: 2");
  const request = await application.next();
  const { ONE, TWO, BOTH } = request.params;
  assert.deepEqual([ONE, TWO, BOTH], ["1", "2", "2"]);
  request.answer("fine");
  await exchange.done;
});
