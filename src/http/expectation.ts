// What a client expects of the server before it sends its body (RFC 9110, 10.1.1).
// Tested by test/protocols/http1/vectors.ts.
import { SallyportError } from "../exchange/index.ts";

/** Whether an Expect field asks for 100 Continue; an empty list asks for nothing. Throws EXPECTATION_FAILED where it asks for more. */
export function readExpectation(value: string): boolean {
  // The usual case first, without making anything.
  if (value === "100-continue") return true;
  const members = value.split(",").map((member) => member.trim().toLowerCase());
  const expected = members.filter((member) => member !== "");
  if (expected.some((member) => member !== "100-continue"))
    throw new SallyportError("EXPECTATION_FAILED", "an Expect other than 100-continue");
  return expected.length > 0;
}
