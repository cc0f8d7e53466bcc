// What a FastCGI application can do (FCGI_GET_VALUES; specification, 4.1): asked once, on a connection of its own, because
// PHP closes it after its answer and others never answer at all.
// Tested by test/protocols/fastcgi/server/gateway.test.ts.
import type { Upstream } from "../../upstreams/index.ts";
import { managementRecord, RecordReader, TYPE, VALUE } from "./codec.ts";
import { decodePairs, encodePairs } from "./pairs.ts";

/** Numbers that are undefined are unknown. */
export interface Values {
  /** "none": nothing came within the time, and the connection stayed open. */
  readonly reply: "values" | "closed" | "none";
  readonly connections: number | undefined;
  readonly requests: number | undefined;
  readonly multiplexes: boolean;
}

const UNKNOWN = { connections: undefined, requests: undefined, multiplexes: false } as const;
/** Of an application that has not answered, or was not asked. */
export const NO_REPLY: Values = { reply: "none", ...UNKNOWN };
const CLOSED: Values = { reply: "closed", ...UNKNOWN };
const QUESTION = managementRecord(
  TYPE.GET_VALUES,
  encodePairs([VALUE.MAX_CONNS, "", VALUE.MAX_REQS, "", VALUE.MPXS_CONNS, ""]),
);
/** Sent on a connection that will be shared, this question announces just that; its answer is ignored. */
export const SHARING: Buffer = managementRecord(TYPE.GET_VALUES, encodePairs([VALUE.MPXS_CONNS, ""]));

/** Rejects with UPSTREAM_UNREACHABLE or UPSTREAM_BUSY only. Without an answer within `timeout` ms the values are unknown. */
export async function askValues(upstream: Upstream, timeout: number): Promise<Values> {
  const socket = await upstream.connect();
  const reader = new RecordReader("UPSTREAM_BROKEN");
  const values = await new Promise<Values>((resolve) => {
    const timer = setTimeout(() => resolve(NO_REPLY), timeout);
    socket.on("error", () => {});
    socket.on("end", () => resolve(CLOSED));
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(CLOSED);
    });
    socket.on("data", (chunk: Buffer) => {
      const answer = readAnswer(reader, chunk);
      if (answer) resolve(answer);
    });
    socket.write(QUESTION);
  });
  socket.destroy();
  return values;
}

function readAnswer(reader: RecordReader, chunk: Buffer): Values | undefined {
  try {
    reader.feed(chunk);
    for (let piece = reader.next(); piece; piece = reader.next()) {
      if (piece.type === TYPE.GET_VALUES_RESULT)
        return valuesOf(decodePairs(piece.content, "UPSTREAM_BROKEN"));
    }
    return undefined;
  } catch {
    return CLOSED;
  }
}

function valuesOf(pairs: readonly string[]): Values {
  return {
    reply: "values",
    connections: positive(valueFor(pairs, VALUE.MAX_CONNS)),
    requests: positive(valueFor(pairs, VALUE.MAX_REQS)),
    multiplexes: valueFor(pairs, VALUE.MPXS_CONNS) === "1",
  };
}

function valueFor(pairs: readonly string[], name: string): string | undefined {
  const at = pairs.findIndex((text, i) => i % 2 === 0 && text === name);
  return at < 0 ? undefined : pairs[at + 1];
}

const positive = (value: string | undefined): number | undefined =>
  value !== undefined && /^[1-9]\d{0,8}$/.test(value) ? Number(value) : undefined;
