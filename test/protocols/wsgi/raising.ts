// Exceptions of every kind, wherever PEP 3333 has the server call the application: the client gets an error response or a cut,
// and the server goes on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { WsgiOptions } from "../../../src/protocols/wsgi/index.ts";
import { type StartedWsgi, startWsgi } from "../../kit/start-wsgi.ts";

const KINDS = [
  "GeneratorExit",
  "KeyboardInterrupt",
  "SystemExit",
  "StopIteration",
  "CancelledError",
  "Own",
  "ValueError",
];
/** Exceptions that end the process. */
const ENDS = ["KeyboardInterrupt", "SystemExit"];

/** What the client gets: status, body (undefined: our own error page), and whether it is complete. */
type Outcome = readonly [status: number, body: string | undefined, complete: boolean];
const POINTS: Readonly<Record<string, Outcome>> = {
  call: [500, undefined, true],
  first: [500, undefined, true],
  later: [200, "one ", false],
  last: [200, "one two", false],
  write: [200, "written", false],
  exc_info: [200, "written", false],
  close: [200, "one two", true],
};
/** StopIteration from an iterator is the end of the blocks. */
const STOPS: Readonly<Record<string, Outcome>> = {
  first: [200, "", true],
  later: [200, "one ", true],
  last: [200, "one two", true],
};

export function raising(options: Pick<WsgiOptions, "python" | "mode" | "threads">): void {
  const ends: (() => unknown)[] = [];
  let server: StartedWsgi;
  before(async () => {
    server = await startWsgi({ after: (end) => ends.push(end as () => unknown) }, "raising:app", options);
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
  });
  const pid = async (): Promise<string> => (await server.ask("/pid")).body.toString();
  const inline = options.mode !== "embedded" && (options.threads ?? 1) === 1;

  for (const point of Object.keys(POINTS))
    for (const kind of KINDS) {
      const stops = kind === "StopIteration" ? STOPS[point] : undefined;
      const [status, body, complete] = stops ?? (POINTS[point] as Outcome);
      test(`${kind} (${point}): ${status}, ${complete ? "complete" : "cut"}, told in the log, and the server goes on`, async () => {
        const process = await pid();
        server.lines.length = 0;
        const answer = await server.ask(`/${point}/${kind}`);
        assert.deepEqual([answer.status, answer.complete], [status, complete]);
        if (body !== undefined) assert.equal(answer.body.toString(), body);
        const goesOn = (await pid()) === process;
        assert.equal(goesOn, !(inline && ENDS.includes(kind)));
        if (stops) return;
        const told = (): boolean =>
          server.lines.some(({ message, fields }) => `${message}${fields.detail}`.includes(kind));
        while (!told()) await new Promise((resolve) => setTimeout(resolve, 10));
      });
    }
}
