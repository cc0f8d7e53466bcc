// What an authorizer's 200 adds to a request.
import assert from "node:assert/strict";
import { test } from "node:test";
import { authorizerVariables } from "../../../src/protocols/fastcgi/server/authorizer.ts";

test("F19: fields that begin with Variable- are variables, and no variable has a hyphen", () => {
  const headers = ["Variable-REMOTE_USER", "ann", "variable-X-TEAM", "blue", "X", "y"];
  // lighttpd's own authorizer relies on the underscore.
  const expected = { REMOTE_USER: "ann", X_TEAM: "blue" };
  assert.deepEqual(Object.fromEntries(authorizerVariables({ status: 200, reason: "", headers })), expected);
});
