// Who may ask the admin listener: everyone on this machine, or whoever knows the token. Checked before the server starts.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { addressIn } from "../config/address.ts";
import { type AdminPlace, type AdminSettings, TOKEN_VARIABLE } from "../config/admin.ts";
import { SallyportError } from "../exchange/index.ts";

/** Characters of a token: 16 random ones are more than can be guessed. */
const SHORTEST_TOKEN = 16;
const LONGEST_TOKEN = 1_024;
const HOW = "make one with `openssl rand -hex 32`";
/** What fits into a header field without quotes (RFC 6750, 2.1). */
const BEARER = /^[\w.~+/-]+=*$/;

export interface AdminAccess {
  readonly place: AdminPlace;
  readonly token: string | undefined;
}

/** Where the admin listener will be, and its token; `given` is that of the environment. Throws CONFIG_INVALID. */
export function adminAccess(
  { listen, ...settings }: AdminSettings,
  directory: string,
  given: string | undefined,
): AdminAccess {
  const place = addressIn(directory, listen);
  const token = tokenOf(settings, directory, given);
  if (token === undefined && !isLocal(place))
    throw invalid(
      `the admin listener at ${place.kind === "tcp" ? place.host : place.path} can be reached from other machines and has no token: ` +
        `listen at 127.0.0.1 or at a Unix socket, or set ${TOKEN_VARIABLE} or --admin-token-file; ${HOW}`,
    );
  return { place, token };
}

type TokenSettings = Pick<AdminSettings, "token" | "tokenFile">;

function tokenOf(
  { token, tokenFile }: TokenSettings,
  directory: string,
  given: string | undefined,
): string | undefined {
  if (token !== undefined && tokenFile !== undefined)
    throw invalid("admin.token and admin.tokenFile: only one of them");
  if (token !== undefined) return checked(token, "admin.token");
  if (tokenFile !== undefined) return checked(readToken(resolve(directory, tokenFile)), tokenFile);
  return given === undefined ? undefined : checked(given, TOKEN_VARIABLE);
}

function readToken(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw invalid(`the token of the admin listener cannot be read: ${(cause as Error).message}`, cause);
  }
}

function checked(token: string, place: string): string {
  if (token.length < SHORTEST_TOKEN || token.length > LONGEST_TOKEN)
    throw invalid(
      `the token of the admin listener (${place}) must have ${SHORTEST_TOKEN} to ${LONGEST_TOKEN} characters: ${HOW}`,
    );
  if (!BEARER.test(token))
    throw invalid(
      `the token of the admin listener (${place}) may have letters, digits and -._~+/ only: ${HOW}`,
    );
  return token;
}

/** Whether only processes of this machine reach it. */
export const isLocal = (place: AdminPlace): boolean => place.kind === "unix" || isLoopback(place.host);

/** By name or number; other names may mean any address. */
export const isLoopback = (host: string): boolean =>
  /^(localhost|::1|127(\.\d{1,3}){3})$/i.test(host.replace(/\.$/, ""));

const invalid = (message: string, cause?: unknown): SallyportError =>
  new SallyportError("CONFIG_INVALID", message, { cause });
