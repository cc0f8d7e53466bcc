// An authorizer's 200 lets a request pass, and may add meta-variables to it (specification, 6.3).
import type { ResponseHead } from "../../../exchange/index.ts";

const PREFIX = "variable-";

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
