// Compares an answer with the expected one: each difference is a complaint, in words.
// Tested by test/testing/defects.test.ts.
import { headerValues } from "../exchange/index.ts";
import type { Answer } from "./answer.ts";
import { toBytes } from "./bytes.ts";
import type { Expected, ExpectedSeen } from "./case.ts";
import type { SideChannel } from "./side-channel.ts";

/** Why this is none of the expected outcomes; empty when it is one. */
export async function complaintsAbout(
  answer: Answer,
  sideChannel: SideChannel,
  expected: Expected | readonly Expected[],
): Promise<string[]> {
  const right: readonly Expected[] = Array.isArray(expected) ? expected : [expected as Expected];
  const complaints: string[][] = [];
  for (const one of right) {
    const found = [...answerComplaints(answer, one), ...(await sideChannelComplaints(sideChannel, one))];
    if (found.length === 0) return [];
    complaints.push(found);
  }
  if (complaints.length === 1) return complaints[0] ?? [];
  return complaints.map((found, i) => `outcome ${i + 1} of ${complaints.length}: ${found.join("; ")}`);
}

/** Each check returns a complaint, or undefined. */
const CHECKS: readonly ((answer: Answer, expected: Expected) => string | undefined)[] = [
  ({ broken }) => broken && `the answer is not HTTP: ${broken}`,
  (answer, { complete = true }) => {
    if (answer.complete === complete || answer.broken) return undefined;
    return complete
      ? `the answer was cut: ${summary(answer)}`
      : `the answer looks complete: ${summary(answer)}`;
  },
  (answer, { status }) => {
    const right = typeof status === "number" ? [status] : status;
    if (!right || right.includes(answer.status)) return undefined;
    return `the status is ${answer.status}, not ${right.join(" or ")}: ${summary(answer)}`;
  },
  ({ reason }, expected) => differs("the reason phrase", reason, expected.reason),
  ({ framing }, expected) => differs("the framing", framing, expected.framing),
  ({ persistent }, expected) => differs("that the connection lives on", persistent, expected.persistent),
  ({ informs }, expected) => differs("the informational responses", informs, expected.informs),
  (answer, expected) => {
    const received = textOf(answer);
    const shown = expected.without?.filter((text) => received.includes(text)) ?? [];
    return shown.length > 0 ? `the answer shows ${shown.join(", ")}` : undefined;
  },
  bodyComplaint,
];

function answerComplaints(answer: Answer, expected: Expected): string[] {
  const single = CHECKS.map((check) => check(answer, expected)).filter((found) => found !== undefined);
  return [
    ...single.filter((found) => found !== ""),
    ...fieldComplaints("header", answer.headers, expected.headers),
    ...fieldComplaints("trailer", answer.trailers, expected.trailers),
    ...(expected.seen ? seenComplaints(answer, expected.seen) : []),
  ];
}

function differs(what: string, got: unknown, expected: unknown): string | undefined {
  if (expected === undefined || JSON.stringify(got) === JSON.stringify(expected)) return undefined;
  return `${what}: ${shown(got)}, not ${shown(expected)}`;
}

function fieldComplaints(
  what: string,
  headers: Answer["headers"],
  expected: Readonly<Record<string, string | readonly string[] | null>> = {},
): string[] {
  return Object.entries(expected).flatMap(([name, value]) => {
    const values = headerValues(headers, name);
    const got = values.length === 0 ? null : typeof value === "string" ? values.join(", ") : values;
    return differs(`the ${what} ${name}`, got, value) ?? [];
  });
}

function bodyComplaint({ body, size }: Answer, expected: Expected): string | undefined {
  if (expected.body === undefined) return undefined;
  const right = toBytes(expected.body);
  const got = Buffer.concat(body);
  if (got.equals(right)) return undefined;
  const at = got.findIndex((byte, i) => byte !== right[i]);
  const place = at < 0 ? "" : `, and another one at ${at}`;
  return `the body has ${size} bytes for ${right.length}${place}: ${shown(got.toString("latin1"))}`;
}

function seenComplaints(answer: Answer, expected: ExpectedSeen): string[] {
  const seen = parsed(answer);
  if (!seen) return [`the application did not describe its request: ${summary(answer)}`];
  return Object.entries(expected).flatMap(([name, value]) => {
    if (name === "headers" || name === "trailers") return withinComplaints(name, seen[name], value);
    return differs(`the application saw the ${name}`, seen[name], value) ?? [];
  });
}

function withinComplaints(name: string, seen: unknown, expected: unknown): string[] {
  const fields = (seen ?? {}) as Record<string, string>;
  return Object.entries(expected as Record<string, string | null>).flatMap(
    ([field, value]) =>
      differs(`the application saw of the ${name} ${field}`, fields[field] ?? null, value) ?? [],
  );
}

function parsed({ body }: Answer): Record<string, unknown> | undefined {
  try {
    return JSON.parse(Buffer.concat(body).toString("utf8"));
  } catch {
    return undefined;
  }
}

async function sideChannelComplaints(
  sideChannel: SideChannel,
  { noted = [], notNoted = [] }: Expected,
): Promise<string[]> {
  const complaints: string[] = [];
  for (const name of noted)
    if (!(await sideChannel.see(name))) complaints.push(`the application never noted "${name}"`);
  for (const name of notNoted)
    if ((await sideChannel.count(name)) > 0) complaints.push(`the application noted "${name}"`);
  return complaints;
}

const textOf = ({ headers, body }: Answer): string =>
  `${headers.join("\n")}\n${Buffer.concat(body).toString("latin1")}`;

const summary = (answer: Answer): string =>
  shown(`${answer.status} ${answer.reason} ${Buffer.concat(answer.body).toString("latin1")}`);

const LONGEST = 200;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text;
}
