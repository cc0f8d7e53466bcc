// The registry: the gateway for each kind of app in the configuration. A new kind is one entry here and its section in
// config/apps.ts. A gateway that no app needs is not loaded.
import { resolve } from "node:path";
import type { APP_KINDS } from "../config/apps.ts";
import type { AppSettings } from "../config/config.ts";
import { type Exchange, type Gateway, type Log, localRedirect, SallyportError } from "../exchange/index.ts";
import { isGateway } from "../options/checks.ts";
import type { FastcgiOptions } from "../protocols/fastcgi/index.ts";
import { socketPathIn } from "../sockets/socket-path.ts";
import type { PythonSearch } from "../workers/python.ts";

/** What a gateway gets from its server. */
export interface GatewayContext {
  /** Relative paths of the configuration start here. */
  readonly directory: string;
  readonly log: Log;
  /** Server processes that serve the same applications. */
  readonly serverProcesses: number;
  /** Answers an exchange by the server's routes: for local redirects (RFC 3875, 6.2.2). */
  readonly dispatch: (exchange: Exchange) => void;
  /** Gives an exchange to another app of the configuration. */
  readonly pass: (app: string, exchange: Exchange) => void;
  /** The process is the server's: apps leave its signals to it. */
  readonly ownProcess: boolean;
  /** A query for the URL of a module: a new one where it must be loaded anew; "" otherwise. */
  readonly moduleVersion: () => string;
}

/** The bound of a request body is its listener's, which a reload may change while the gateway goes on. */
const maxBody = Number.POSITIVE_INFINITY;

type Kind = keyof typeof APP_KINDS;
type SettingsOf<K extends Kind> = Extract<AppSettings, Record<K, unknown>>;
type Make<K extends Kind> = (app: SettingsOf<K>, context: GatewayContext) => Promise<Gateway>;

const MAKE: { readonly [K in Kind]: Make<K> } = {
  async wsgi({ wsgi: app, ...rest }, context) {
    const { wsgi } = await import("../protocols/wsgi/index.ts");
    return wsgi(app, { ...pythonPaths(rest, context), maxBody });
  },

  async asgi({ asgi: app, ...rest }, context) {
    const { asgi } = await import("../protocols/asgi/index.ts");
    return asgi(app, pythonPaths(rest, context));
  },

  async callable({ callable: app, ...rest }, context) {
    const { callable } = await import("./callable.ts");
    return callable(app, { ...pythonPaths(rest, context), maxBody });
  },

  async cgi({ cgi: program, chdir, documentRoot, links, ...rest }, { directory, log, dispatch }) {
    const { cgi } = await import("../protocols/cgi/index.ts");
    return cgi({
      ...rest,
      program: resolve(directory, program),
      chdir: within(directory, chdir),
      documentRoot: within(directory, documentRoot),
      links: allWithin(directory, links),
      redirect: dispatch,
      maxBody,
      log,
    });
  },

  async static({ static: files, maxAge, fallback, links, ...rest }, { directory, pass }) {
    const { staticFiles } = await import("../apps/static.ts");
    const fallthrough =
      fallback === undefined ? undefined : { handle: (exchange: Exchange) => pass(fallback, exchange) };
    return staticFiles({
      ...rest,
      fallthrough,
      maxAge: seconds(maxAge),
      directory: resolve(directory, files),
      links: allWithin(directory, links),
    });
  },

  async answer({ answer: status, ...rest }) {
    const { fixedAnswer } = await import("../apps/answer.ts");
    return fixedAnswer({ ...rest, status });
  },

  async redirect({ redirect: to, ...rest }) {
    const { redirect } = await import("../apps/answer.ts");
    return redirect({ ...rest, to });
  },

  async module({ module, timeout }, { directory, log, ownProcess, moduleVersion }) {
    const { loadVersion } = await import("../apps/load.ts");
    const options = { log, timeout: seconds(timeout), ownProcess };
    return loadVersion(resolve(directory, module), options, moduleVersion());
  },

  async app({ app, timeout }, { log, ownProcess }) {
    const { gatewayOfExport } = await import("../apps/load-kind.ts");
    return gatewayOfExport(app, "the app", { log, timeout: seconds(timeout), ownProcess });
  },

  async php({ php, fastcgi: reached, links, ...rest }, context) {
    const { directory } = context;
    const { fastcgi } = await import("../protocols/fastcgi/index.ts");
    return fastcgi({
      ...rest,
      ...reachedOf(phpReached(reached), directory),
      root: resolve(directory, php),
      links: allWithin(directory, links),
      ...shared(context),
    });
  },

  async fastcgi({ fastcgi: reached, root, links, authorizer, ...rest }, context) {
    const { directory } = context;
    const { fastcgi } = await import("../protocols/fastcgi/index.ts");
    return fastcgi({
      ...rest,
      ...reachedOf(reached, directory),
      root: within(directory, root),
      links: allWithin(directory, links),
      authorizer: authorizer === undefined ? undefined : reachedOf(authorizer, directory),
      ...shared(context),
    });
  },

  async scgi({ scgi: address, ...rest }, context) {
    const { scgi } = await import("../protocols/scgi/index.ts");
    return scgi({ ...rest, address: placed(address, context.directory), ...shared(context) });
  },

  async uwsgi({ uwsgi: address, ...rest }, context) {
    const { uwsgi } = await import("../protocols/uwsgi/index.ts");
    return uwsgi({ ...rest, address: placed(address, context.directory), ...shared(context) });
  },
};

interface PythonPaths {
  readonly chdir?: string;
  readonly path?: readonly string[];
  readonly python?: string;
}

const pythonAt = (python: string | undefined, directory: string): string | undefined =>
  python?.includes("/") ? resolve(directory, python) : python;

/** Where the interpreter of a Python application is looked for. */
export const pythonSearch = ({ python, chdir }: PythonPaths, directory: string): PythonSearch => ({
  python: pythonAt(python, directory),
  directory: resolve(directory, chdir ?? "."),
});

/** The options of a Python application, with paths relative to the configuration's directory resolved. */
const pythonPaths = <T extends PythonPaths>(
  { chdir, path, python, ...rest }: T,
  { directory, log, serverProcesses }: GatewayContext,
) => ({
  ...rest,
  serverProcesses,
  python: pythonAt(python, directory),
  chdir: resolve(directory, chdir ?? "."),
  path: allWithin(directory, path),
  log,
});

/** The options that every gateway to another process gets from the server. */
const shared = ({ log, dispatch }: GatewayContext) => ({
  log,
  maxBody,
  redirect: (exchange: Exchange, target: string): void => {
    try {
      dispatch(localRedirect(exchange, target));
    } catch (error) {
      exchange.fail(SallyportError.from(error));
    }
  },
});

type Addresses = string | readonly string[];
type Reached = SettingsOf<"fastcgi">["fastcgi"];

/** Where a FastCGI application listens, or how it is started. */
function reachedOf(reached: Reached, directory: string): FastcgiOptions {
  if (isAddress(reached)) return { address: placed(reached, directory) };
  const {
    command: [program = "", ...args],
    chdir,
    ...rest
  } = reached;
  const command = [program.includes("/") ? resolve(directory, program) : program, ...args];
  return { ...rest, command, chdir: resolve(directory, chdir ?? ".") };
}

const isAddress = (reached: Reached): reached is string | string[] =>
  typeof reached === "string" || Array.isArray(reached);

/** PHP's own program. As with PHP-FPM, scripts get no more of our environment than CGI programs. */
function phpReached(reached: Reached = { command: ["php-cgi"] }): Reached {
  if (isAddress(reached)) return reached;
  return { processes: 4, inheritEnv: [], ...reached };
}

/** Paths of Unix sockets are relative to the configuration's directory, too. */
const placed = (address: Addresses, directory: string): Addresses =>
  typeof address === "string"
    ? placedOne(address, directory)
    : address.map((one) => placedOne(one, directory));

const placedOne = (address: string, directory: string): string =>
  address.startsWith("unix:") ? `unix:${socketPathIn(directory, address.slice(5))}` : address;

const within = (directory: string, path: string | undefined): string | undefined =>
  path === undefined ? undefined : resolve(directory, path);

const allWithin = (directory: string, paths: readonly string[] | undefined): string[] | undefined =>
  paths?.map((path) => resolve(directory, path));

const seconds = (milliseconds: number | undefined): number | undefined =>
  milliseconds === undefined ? undefined : milliseconds / 1000;

/** The gateway of an app; it is not started yet. Rejects with a SallyportError when there is no such app. */
export async function gatewayOf(app: AppSettings, context: GatewayContext): Promise<Gateway> {
  if (isGateway(app)) return app;
  const kind = (Object.keys(MAKE) as Kind[]).find((key) => key in app) as Kind;
  return (MAKE[kind] as Make<Kind>)(app as SettingsOf<Kind>, context);
}
