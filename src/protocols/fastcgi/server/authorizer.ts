// A FastCGI application as an authorizer (specification, 6.3): its 200 lets a request pass, and may add meta-variables to
// it; any other response of it is the answer.
// Tested by test/protocols/fastcgi/authorizer.test.ts.
import { type Exchange, type ResponseHead, SallyportError } from "../../../exchange/index.ts";
import { FastcgiApplication } from "./application.ts";
import { type FastcgiOptions, fastcgiVariables, requestSettings } from "./options.ts";
import { Params } from "./params.ts";
import { OutgoingRequest, type RequestOptions, type RequestSettings } from "./request.ts";

/** An authorizer gets all variables of the request but these. */
const LEFT_OUT: readonly string[] = ["CONTENT_LENGTH", "PATH_INFO", "PATH_TRANSLATED", "SCRIPT_NAME"];
const PREFIX = "variable-";
const NOTHING = new Uint8Array(0);

export class Authorizer {
  readonly application: FastcgiApplication;
  readonly #settings: RequestSettings;
  readonly #params: Params;

  /** Throws CONFIG_INVALID. */
  constructor(options: FastcgiOptions) {
    this.application = new FastcgiApplication(options);
    this.#settings = requestSettings(options);
    this.#params = new Params(fastcgiVariables(options), LEFT_OUT);
  }

  /** Asks about `exchange`, and calls back if it may pass; answers it otherwise. */
  authorize(exchange: Exchange, allowed: () => void): void {
    const check = (head: ResponseHead): boolean => {
      if (head.status !== 200) return false;
      addVariables(exchange, authorizerVariables(head));
      allowed();
      return true;
    };
    try {
      const params = this.#params.of(exchange, undefined);
      const options: RequestOptions = {
        role: "authorizer",
        params,
        body: NOTHING,
        repeatable: true,
        file: undefined,
      };
      this.application.backends.submit(new OutgoingRequest(exchange, options, this.#settings, check));
    } catch (error) {
      exchange.fail(SallyportError.from(error));
    }
  }
}

/** Another authorizer may have been asked before: of a variable that both add the later value counts. */
function addVariables(exchange: Exchange, variables: ReadonlyMap<string, string>): void {
  const before = exchange.facts?.authorizerVariables;
  const all = before ? new Map([...before, ...variables]) : variables;
  exchange.facts = { ...exchange.facts, authorizerVariables: all };
}

/** The variables among the fields of an authorizer's 200; its other fields mean nothing. */
export function authorizerVariables({ headers }: ResponseHead): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.toLowerCase().startsWith(PREFIX))
      variables.set(nameOf(name.slice(PREFIX.length)), headers[i + 1] as string);
  }
  return variables;
}

/** Header fields have hyphens where variables have underscores; an authorizer may write either, as behind lighttpd. */
const nameOf = (field: string): string => field.replace(/[^A-Za-z0-9_]/g, "_");
