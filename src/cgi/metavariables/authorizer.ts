// What an authorizer said about a request that it let pass (specification, 6.3): meta-variables for whoever answers it. By
// request head, which every wrapper of an exchange passes on.
import type { Exchange, Headers, RequestHead, ResponseHead } from "../../exchange/index.ts";

const PREFIX = "variable-";

const granted = new WeakMap<RequestHead, ReadonlyMap<string, string>>();
/** Where there are no authorizers, nobody needs to ask. */
let hasGranted = false;

/** Keeps the fields of an authorizer's 200 that are variables; all others mean nothing. */
export function setAuthorizerVariables({ request }: Exchange, { headers }: ResponseHead): void {
  hasGranted = true;
  granted.set(request, variablesIn(headers));
}

/** The variables that authorizers gave the request, if there are any. */
export const authorizerVariables = ({ request }: Exchange): ReadonlyMap<string, string> | undefined =>
  hasGranted ? granted.get(request) : undefined;

function variablesIn(headers: Headers): Map<string, string> {
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
