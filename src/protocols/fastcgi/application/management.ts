// Management records of one connection (specification, 4): FCGI_GET_VALUES is answered with what we can do, an unknown type
// with FCGI_UNKNOWN_TYPE.
// Tested by test/protocols/fastcgi/application/listener.test.ts.
import { managementRecord, type RecordPiece, TYPE, unknownType, VALUE } from "../codec.ts";
import type { FastcgiLimits } from "../limits.ts";
import { decodePairs, encodePairs } from "../pairs.ts";

/** The error of a server that breaks the rules: to us it is the client. */
export const VIOLATION = "BAD_REQUEST";

export class Management {
  /** The server may have several requests under way: it asked whether it can. */
  sharing = false;
  readonly #limits: FastcgiLimits;
  readonly #multiplex: boolean;
  #answers: Buffer[] = [];

  constructor(limits: FastcgiLimits, multiplex: boolean) {
    this.#limits = limits;
    this.#multiplex = multiplex;
  }

  /** Throws BAD_REQUEST for a question that cannot be understood. */
  take({ type, content }: RecordPiece): void {
    if (type === TYPE.GET_VALUES) this.#answerValues(content);
    else if (type !== TYPE.UNKNOWN_TYPE) this.#answers.push(unknownType(type));
  }

  /** Many questions in one segment get their answers in one piece; undefined when there was none. */
  answers(): Buffer | undefined {
    if (this.#answers.length === 0) return undefined;
    const answers = this.#answers;
    this.#answers = [];
    return Buffer.concat(answers);
  }

  #answerValues(content: Buffer): void {
    const { connections, requests } = this.#limits;
    const multiplex = this.#multiplex;
    const values: Readonly<Record<string, number>> = {
      [VALUE.MAX_CONNS]: connections,
      [VALUE.MAX_REQS]: multiplex ? connections * requests : connections,
      [VALUE.MPXS_CONNS]: multiplex ? 1 : 0,
    };
    const asked = new Set(decodePairs(content, VIOLATION).filter((_, i) => i % 2 === 0));
    if (multiplex && asked.has(VALUE.MPXS_CONNS)) this.sharing = true;
    const known = [...asked].filter((name) => Object.hasOwn(values, name));
    const pairs = encodePairs(known.flatMap((name) => [name, String(values[name])]));
    this.#answers.push(managementRecord(TYPE.GET_VALUES_RESULT, pairs));
  }
}
