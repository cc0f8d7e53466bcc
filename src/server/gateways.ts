// The registry: which gateway an app of the configuration is answered through. A new kind of app is one entry here and
// its section in config.ts. What no app needs is not even loaded.
import { resolve } from "node:path";
import type { Exchange, Gateway, Log } from "../exchange/index.ts";
import { APP_KINDS, type AppSettings } from "./config.ts";

/** What gateways get from the server that they are part of. */
export interface Surroundings {
  /** Relative paths of the configuration start here. */
  readonly directory: string;
  readonly log: Log;
  /** Octets of a request body; whoever keeps one bounds it by this. */
  readonly maxBody: number;
  /** Answers an exchange by the server's routes: where a CGI program's local redirects go. */
  readonly dispatch: (exchange: Exchange) => void;
}

type Kind = keyof typeof APP_KINDS;
type SettingsOf<K extends Kind> = Extract<AppSettings, Record<K, unknown>>;
type Make<K extends Kind> = (app: SettingsOf<K>, surroundings: Surroundings) => Promise<Gateway>;

const MAKE: { readonly [K in Kind]: Make<K> } = {
  async wsgi({ wsgi: app, chdir, path, python, ...rest }, { directory, log, maxBody }) {
    const { wsgi } = await import("../protocols/wsgi/index.ts");
    return wsgi(app, {
      ...rest,
      python: python?.includes("/") ? resolve(directory, python) : python,
      directory: resolve(directory, chdir ?? "."),
      path: path?.map((place) => resolve(directory, place)),
      maxBody,
      log,
    });
  },

  async cgi({ cgi: program, chdir, documentRoot, ...rest }, { directory, log, dispatch, maxBody }) {
    const { cgi } = await import("../protocols/cgi/index.ts");
    return cgi({
      ...rest,
      program: resolve(directory, program),
      cwd: within(directory, chdir),
      documentRoot: within(directory, documentRoot),
      redirect: dispatch,
      maxBody,
      log,
    });
  },

  async static({ static: files, maxAge, ...rest }, { directory }) {
    const { staticFiles } = await import("../apps/static.ts");
    return staticFiles({ ...rest, maxAge: seconds(maxAge), directory: resolve(directory, files) });
  },

  async module({ module, timeout }, { directory, log }) {
    const { loadApp } = await import("../apps/load.ts");
    return loadApp(resolve(directory, module), { log, timeout: seconds(timeout) });
  },
};

const within = (directory: string, path: string | undefined): string | undefined =>
  path === undefined ? undefined : resolve(directory, path);

const seconds = (milliseconds: number | undefined): number | undefined =>
  milliseconds === undefined ? undefined : milliseconds / 1000;

/** The gateway of an app; it is not started yet. Rejects with a SallyportError when there is no such app. */
export async function gatewayOf(app: AppSettings, surroundings: Surroundings): Promise<Gateway> {
  const kind = (Object.keys(APP_KINDS) as Kind[]).find((key) => key in app);
  if (kind === undefined) return app as Gateway;
  return (MAKE[kind] as Make<Kind>)(app as SettingsOf<Kind>, surroundings);
}
