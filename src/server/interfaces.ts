// The interface by which an app is reached: as its gateway says it, or else its configuration.
// Tested by test/server/json-lines.test.ts.
import type { APP_KINDS } from "../config/apps.ts";
import type { AppSettings } from "../config/config.ts";
import { isGateway } from "../options/checks.ts";
import type { App } from "./change.ts";

type Kind = keyof typeof APP_KINDS;

/** By the key that an app has in the configuration. "Python": the app decides. */
const NAMES: { readonly [K in Kind]: string } = {
  wsgi: "WSGI",
  asgi: "ASGI",
  callable: "Python",
  cgi: "CGI",
  php: "FastCGI",
  fastcgi: "FastCGI",
  scgi: "SCGI",
  uwsgi: "uwsgi",
  static: "static",
  answer: "answer",
  redirect: "redirect",
  module: "fetch",
  app: "fetch",
};

/** Undefined for an app that is a gateway. */
export const kindOf = (settings: AppSettings): Kind | undefined =>
  isGateway(settings) ? undefined : (Object.keys(NAMES) as Kind[]).find((key) => key in settings);

/** Before its gateway can say it. */
export function configuredInterface(settings: AppSettings): string {
  const kind = kindOf(settings);
  return kind === undefined ? "gateway" : NAMES[kind];
}

/** Those that will not change. */
const known = new WeakMap<App, string>();

/** "WSGI", "FastCGI"; "" for no app. */
export function appInterface(app: App | undefined): string {
  if (!app) return "";
  const found = known.get(app) ?? app.gateway.status?.().interface ?? configuredInterface(app.settings);
  if (found !== "Python") known.set(app, found);
  return found;
}
