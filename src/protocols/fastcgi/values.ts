// What a FastCGI application can do (FCGI_GET_VALUES; specification, 4.1): asked once, on a connection of its own, because
// PHP closes it after its answer, libfcgi answers when more has come, and others never answer at all.
// Tested by test/protocols/fastcgi/server/gateway.test.ts.
import type { Socket } from "node:net";
import type { Upstream } from "../../upstreams/index.ts";
import { managementRecord, RecordReader, TYPE, VALUE } from "./codec.ts";
import { decodePairs, encodePairs } from "./pairs.ts";

/** Numbers that are undefined are unknown. */
export interface Values {
  /**
   * "none": nothing came within the time, and the connection stayed open. "prompted": libfcgi's, whose numbers are the same whatever
   * the application is, and so are unknown.
   */
  readonly reply: "values" | "closed" | "prompted" | "none";
  readonly connections: number | undefined;
  readonly requests: number | undefined;
  readonly multiplexes: boolean;
}

const UNKNOWN = { connections: undefined, requests: undefined, multiplexes: false } as const;
/** Of an application that has not answered, or was not asked. */
export const NO_REPLY: Values = { reply: "none", ...UNKNOWN };
const CLOSED: Values = { reply: "closed", ...UNKNOWN };
const PROMPTED: Values = { reply: "prompted", ...UNKNOWN };
const QUESTION = managementRecord(
  TYPE.GET_VALUES,
  encodePairs([VALUE.MAX_CONNS, "", VALUE.MAX_REQS, "", VALUE.MPXS_CONNS, ""]),
);
/** A question for nothing, behind the other one: libfcgi reads beyond a question before it answers it. */
const FOLLOW_UP = managementRecord(TYPE.GET_VALUES, encodePairs([]));
/** Milliseconds of silence before it is sent. */
const SILENCE = 30;
/** Milliseconds in which an application that was only slow answers this one, too; libfcgi waits for more. */
const BOTH_WITHIN = 100;
/** Sent on a connection that will be shared, this question announces just that; its answer is ignored. */
export const SHARING: Buffer = managementRecord(TYPE.GET_VALUES, encodePairs([VALUE.MPXS_CONNS, ""]));

/** Rejects with UPSTREAM_UNREACHABLE or UPSTREAM_BUSY only. Without an answer within `timeout` ms the values are unknown. */
export async function askValues(upstream: Upstream, timeout: number): Promise<Values> {
  const socket = await upstream.connect();
  const values = await new Question(socket).answer(timeout);
  socket.destroy();
  return values;
}

class Question {
  readonly #socket: Socket;
  readonly #reader = new RecordReader("UPSTREAM_BROKEN");
  readonly #timers: NodeJS.Timeout[] = [];
  #prompted = false;
  /** What has come; undefined until then. */
  #answer: Values | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Never rejects. */
  async answer(timeout: number): Promise<Values> {
    const socket = this.#socket;
    try {
      return await new Promise<Values>((resolve) => {
        const closed = (): void => resolve(this.#answer ?? CLOSED);
        this.#after(timeout, () => resolve(this.#answer ? PROMPTED : NO_REPLY));
        this.#after(SILENCE, () => this.#prompt());
        socket.on("error", () => {});
        socket.on("end", closed);
        socket.on("close", closed);
        socket.on("data", (chunk: Buffer) => this.#received(chunk, resolve));
        socket.write(QUESTION);
      });
    } finally {
      for (const timer of this.#timers) clearTimeout(timer);
    }
  }

  #prompt(): void {
    this.#prompted = true;
    this.#socket.write(FOLLOW_UP);
  }

  #received(chunk: Buffer, resolve: (values: Values) => void): void {
    for (const answer of readAnswers(this.#reader, chunk)) {
      const isFirst = this.#answer === undefined;
      this.#answer ??= answer;
      if (isFirst && this.#prompted && isOfOne(answer)) this.#after(BOTH_WITHIN, () => resolve(PROMPTED));
      else resolve(this.#answer);
    }
  }

  #after(milliseconds: number, then: () => void): void {
    this.#timers.push(setTimeout(then, milliseconds));
  }
}

/** What libfcgi says always, and php-cgi without children. */
const isOfOne = ({ connections, requests, multiplexes }: Values): boolean =>
  connections === 1 && requests === 1 && !multiplexes;

function readAnswers(reader: RecordReader, chunk: Buffer): Values[] {
  const answers: Values[] = [];
  try {
    reader.feed(chunk);
    for (let piece = reader.next(); piece; piece = reader.next()) {
      if (piece.type === TYPE.GET_VALUES_RESULT)
        answers.push(valuesOf(decodePairs(piece.content, "UPSTREAM_BROKEN")));
    }
  } catch {
    answers.push(CLOSED);
  }
  return answers;
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
