// What an authorizer's 200 adds to a request.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Running } from "../../../src/exchange/running.ts";
import { authorized, fastcgi } from "../../../src/protocols/fastcgi/index.ts";
import { authorizerVariables } from "../../../src/protocols/fastcgi/server/authorizer.ts";
import { RecordedExchange } from "../../../src/testing/recorded.ts";
import { RawApplication } from "./raw-application.ts";

test("F19: fields that begin with Variable- are variables, and no variable has a hyphen", () => {
  const headers = ["Variable-REMOTE_USER", "ann", "variable-X-TEAM", "blue", "X", "y"];
  // lighttpd's own authorizer relies on the underscore.
  const expected = { REMOTE_USER: "ann", X_TEAM: "blue" };
  assert.deepEqual(Object.fromEntries(authorizerVariables({ status: 200, reason: "", headers })), expected);
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
