// The script in a request of the suite, which the application follows, and the application's report of its request.
// Tested by test/matrix/matrix.test.ts.
import { type Headers, headerValues } from "../../exchange/index.ts";
import { type AppScript, CONFORMANCE_FIELD, type Seen } from "../case.ts";

/** Throws for a request that is not from the suite. */
export function scriptOf(value: string | null | undefined): AppScript {
  if (!value) throw new Error(`this application only answers requests with the header ${CONFORMANCE_FIELD}`);
  return JSON.parse(Buffer.from(value, "base64url").toString("utf8"));
}

/** Names in lower case, repeated fields joined. */
export function joinedFields(headers: Headers): Record<string, string> {
  const names = new Set(headers.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()));
  return Object.fromEntries(
    [...names].map((name) => [name, headerValues(headers, name).join(name === "cookie" ? "; " : ", ")]),
  );
}

/** Percent escapes become bytes; anything else stays. */
export const decoded = (path: string): string =>
  path.replace(/%([0-9A-Fa-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));

export const jsonOf = (seen: Seen): Buffer => Buffer.from(JSON.stringify(seen), "utf8");

export const ANSWER_PIECE: Buffer = Buffer.alloc(65_536, "endless ");
