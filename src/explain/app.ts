// The app that a route leads to: the interface that it is written for, and what its configuration adds to what it is handed.
// Tested by test/explain/explain.test.ts.
import { dirname, resolve } from "node:path";
import { type AppSettings, fallbackOf } from "../config/config.ts";
import type { Exchange } from "../exchange/index.ts";
import { inheritedEnvironment } from "../processes/index.ts";
import { programsAt } from "../protocols/cgi/program.ts";
import { ScriptCache } from "../protocols/fastcgi/server/script-cache.ts";
import type { InterfaceName } from "./facts.ts";
import type { HandoverContext } from "./handover.ts";

export interface AppInterface {
  /** undefined where the server answers itself. */
  readonly interface: InterfaceName | undefined;
  readonly notes: readonly string[];
}

const plain = (name: InterfaceName): AppInterface => ({ interface: name, notes: [] });

const OF_THE_CONFIGURATION: AppInterface = {
  interface: undefined,
  notes: ["the server answers itself, as the configuration says: no application is asked"],
};

const KINDS: Readonly<Record<string, AppInterface>> = {
  wsgi: plain("wsgi"),
  asgi: plain("asgi"),
  callable: {
    interface: "wsgi",
    notes: ["whether the app is WSGI or ASGI turns out when it starts; for the other one say --as asgi"],
  },
  cgi: plain("cgi"),
  php: plain("fastcgi"),
  fastcgi: plain("fastcgi"),
  scgi: plain("scgi"),
  uwsgi: plain("uwsgi"),
  module: {
    interface: "fetch",
    notes: [
      "whether the module exports a fetch or a node handler turns out when it is loaded; for the other say --as node",
    ],
  },
  app: plain("fetch"),
  static: {
    interface: undefined,
    notes: ["the server answers itself, from a file: no application is asked"],
  },
  answer: OF_THE_CONFIGURATION,
  redirect: OF_THE_CONFIGURATION,
};

/** The interface of an app of the configuration. */
export function interfaceOf(app: AppSettings): AppInterface {
  const kind = Object.keys(KINDS).find((key) => key in app);
  if (!kind) return { interface: undefined, notes: ["the gateway is one of your own"] };
  const known = KINDS[kind] as AppInterface;
  const fallback = fallbackOf(app);
  if (fallback === undefined) return known;
  return { ...known, notes: [...known.notes, `where there is no file, the app ${fallback} answers`] };
}

/** The keys of any kind of app that matter here. */
interface AnyApp {
  readonly cgi?: string;
  readonly php?: string;
  readonly root?: string;
  readonly role?: string;
  readonly suffix?: string;
  readonly index?: readonly string[];
  readonly fallback?: string;
  readonly links?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly variables?: Readonly<Record<string, string>>;
  readonly documentRoot?: string;
  readonly interpreters?: Readonly<Record<string, string>>;
  readonly argvFromQuery?: boolean;
  readonly inheritEnv?: readonly string[];
  readonly threads?: number;
  readonly processes?: number;
}

/** What `app` adds if it is asked by the interface `named`. Rejects as the gateway does: NOT_FOUND, FILE_REFUSED, ... */
export async function contextOf(
  named: InterfaceName,
  settings: AppSettings,
  exchange: Exchange,
  directory: string,
  byProxy: boolean,
): Promise<HandoverContext> {
  const app = settings as AnyApp;
  const program = await programOf(app, exchange, directory);
  const isCgi = named === "cgi" && app.cgi !== undefined;
  return {
    inherited: inheritedEnvironment(app.inheritEnv ?? []),
    variables: { ...(isCgi ? app.env : app.variables), ...(await scriptVariables(app, exchange, directory)) },
    program,
    documentRoot: resolve(directory, app.documentRoot ?? dirname(program.file)),
    argvFromQuery: app.argvFromQuery ?? false,
    byProxy,
    threads: app.threads ?? 1,
    processes: typeof app.processes === "number" ? app.processes : 1,
  };
}

const linksOf = ({ links = [] }: AnyApp, directory: string): string[] =>
  links.map((link) => resolve(directory, link));

type Program = HandoverContext["program"];

/** For an app that is no CGI program, a name that stands for one. */
async function programOf(app: AnyApp, exchange: Exchange, directory: string): Promise<Program> {
  if (app.cgi === undefined)
    return { file: resolve(directory, "program"), mount: exchange.mount, interpreter: undefined, nph: false };
  const { cgi, interpreters = {} } = app;
  const programs = await programsAt(resolve(directory, cgi), {
    interpreters,
    links: linksOf(app, directory),
  });
  return programs.find(exchange);
}

/** SCRIPT_FILENAME and the others that a script's path gives. */
async function scriptVariables(
  app: AnyApp,
  exchange: Exchange,
  directory: string,
): Promise<Record<string, string>> {
  const root = app.php ?? app.root;
  if (root === undefined) return {};
  const suffix = app.suffix ?? (app.role === "filter" ? "" : ".php");
  const scripts = new ScriptCache({
    root: resolve(directory, root),
    suffix,
    index: app.index ?? ["index.php"],
    fallback: app.fallback,
    links: linksOf(app, directory),
  });
  const script = await scripts.find(exchange);
  return typeof script === "string" ? {} : Object.fromEntries(script.variables);
}
