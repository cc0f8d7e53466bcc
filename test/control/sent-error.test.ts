// An error that another process sends is an error of the same code here.
import assert from "node:assert/strict";
import { test } from "node:test";
import { receivedError, type SentError, sentErrorOf } from "../../src/control/sent-error.ts";
import { SallyportError } from "../../src/exchange/index.ts";

test("an error arrives with its code, message and detail, without a stack of ours", () => {
  const error = new SallyportError("APP_IMPORT", "no such module", { detail: "Traceback" });
  const sent: SentError = JSON.parse(JSON.stringify(sentErrorOf(error)));
  assert.equal(JSON.stringify(sent).includes("at "), false);
  const { code, message, detail, fault } = receivedError(sent);
  assert.deepEqual([code, message, detail, fault], [error.code, error.message, error.detail, error.fault]);
});

test("an error that is none of ours arrives as INTERNAL, and so does a code of another version", () => {
  assert.equal(sentErrorOf(new TypeError("oh")).code, "ERR_SALLYPORT_INTERNAL");
  const strange = { code: "ERR_SALLYPORT_OF_TOMORROW", message: "new" } as never;
  assert.equal(receivedError(strange).code, "ERR_SALLYPORT_INTERNAL");
});
