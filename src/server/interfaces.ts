// The interface by which an app is reached, for the access log: as its gateway says it, or else its configuration.
// Tested by test/server/json-lines.test.ts.
import type { App } from "./change.ts";

/** By the key that an app has in the configuration. "Python": the app decides. */
const NAMES: readonly (readonly [string, string])[] = [
  ["wsgi", "WSGI"],
  ["asgi", "ASGI"],
  ["callable", "Python"],
  ["cgi", "CGI"],
  ["php", "FastCGI"],
  ["fastcgi", "FastCGI"],
  ["scgi", "SCGI"],
  ["uwsgi", "uwsgi"],
  ["static", "static"],
  ["module", "fetch"],
  ["app", "fetch"],
];

/** Those that will not change. */
const known = new WeakMap<App, string>();

/** "WSGI", "FastCGI"; "" for no app. */
export function appInterface(app: App | undefined): string {
  if (!app) return "";
  const found = known.get(app) ?? app.gateway.status?.().interface ?? configured(app);
  if (found !== "Python") known.set(app, found);
  return found;
}

const configured = ({ settings }: App): string => NAMES.find(([key]) => key in settings)?.[1] ?? "";
