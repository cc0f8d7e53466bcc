// PARAMS of a request (specification, 5.2): variables that are the same for all requests are encoded once, the others
// follow them.
// Tested by test/protocols/fastcgi/server/gateway.test.ts.

import { metaVariables } from "../../../cgi/metavariables/encode.ts";
import type { Exchange } from "../../../exchange/index.ts";
import { pairText } from "../pairs.ts";

export class Params {
  readonly #variables: ReadonlyMap<string, string>;
  readonly #text: string;
  /** Variables that are not taken from the request. */
  readonly #names: ReadonlySet<string>;

  /** `variables` replace those of the request; those in `without` are left out. */
  constructor(variables: ReadonlyMap<string, string>, without: Iterable<string> = []) {
    this.#variables = variables;
    let text = "";
    for (const [name, value] of variables) text += pairText(name, value);
    // A copy, so that V8 flattens the text once and not for every request.
    this.#text = Buffer.from(text, "latin1").toString("latin1");
    this.#names = new Set([...variables.keys(), ...without]);
  }

  /** With more variables, or others. */
  with(variables: ReadonlyMap<string, string>): Params {
    return new Params(new Map([...this.#variables, ...variables]));
  }

  /** The content of PARAMS, latin-1. `length` is that of the body as the application will see it. Throws BAD_PATH. */
  of(exchange: Exchange, length: number | undefined): string {
    const names = this.#names;
    let text = this.#text;
    const put = (name: string, value: string): void => {
      if (!names.has(name)) text += pairText(name, value);
    };
    metaVariables(exchange, put, length);
    return text;
  }
}
