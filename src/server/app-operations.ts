// What can be asked of one app while it runs: its status, and other bounds for its processes.
// Tested by test/control/commands.test.ts.
import type { APP_KINDS } from "../config/apps.ts";
import type { AppSettings } from "../config/config.ts";
import {
  type GatewayStatus,
  type ProcessBounds,
  type ProcessStacks,
  SallyportError,
} from "../exchange/index.ts";
import { isGateway } from "../options/checks.ts";
import { suggestion } from "../options/did-you-mean.ts";
import type { App } from "./change.ts";

type Kind = keyof typeof APP_KINDS;

const EMBEDDED = "it runs inside the server process, whose number is serverProcesses";

/** The interface of each kind, and why the number of its processes is not the server's to choose. */
const KINDS: { readonly [K in Kind]: readonly [shown: string, unscalable: string] } = {
  wsgi: ["WSGI", EMBEDDED],
  asgi: ["ASGI", EMBEDDED],
  callable: ["Python", EMBEDDED],
  cgi: ["CGI", "a program runs for each request"],
  static: ["static", "files are served by the server process itself"],
  module: ["fetch", "it runs inside the server process"],
  app: ["fetch", "it runs inside the server process"],
  php: ["FastCGI", "its processes are started elsewhere"],
  fastcgi: ["FastCGI", "its processes are started elsewhere"],
  scgi: ["SCGI", "its processes are started elsewhere"],
  uwsgi: ["uwsgi", "its processes are started elsewhere"],
};

const OWN = ["gateway", "it is a gateway of its own, without a method scale"] as const;

function kindOf(settings: AppSettings): readonly [string, string] {
  if (isGateway(settings)) return OWN;
  const kind = (Object.keys(KINDS) as Kind[]).find((key) => key in settings);
  return kind ? KINDS[kind] : OWN;
}

/** What its gateway says, or what is known without it. */
export function appStatus({ gateway, settings }: App): GatewayStatus {
  const [shown] = kindOf(settings);
  return gateway.status?.() ?? { interface: shown, waiting: 0, processes: [], restarts: 0 };
}

/** Throws APP_UNKNOWN. */
export function appNamed(apps: ReadonlyMap<string, App>, name: string): App {
  const app = apps.get(name);
  if (app) return app;
  throw unknownApp(name, [...apps.keys()]);
}

export function unknownApp(name: string, names: readonly string[]): SallyportError {
  const message = `there is no app ${JSON.stringify(name)}; the apps are ${names.join(", ")}`;
  return new SallyportError("APP_UNKNOWN", message + suggestion(name, names));
}

/** Rejects with STACKS_UNAVAILABLE. */
export async function stacksOf(name: string, { gateway, settings }: App): Promise<readonly ProcessStacks[]> {
  if (gateway.stacks) return gateway.stacks();
  const [shown] = kindOf(settings);
  const message = `the app ${name} (${shown}) has no Python stacks to show: only Python applications have`;
  throw new SallyportError("STACKS_UNAVAILABLE", message);
}

/** Rejects with NOT_SCALABLE. */
export async function scaleApp(
  name: string,
  { gateway, settings }: App,
  bounds: ProcessBounds,
): Promise<void> {
  if (gateway.scale) return gateway.scale(bounds);
  const [, why] = kindOf(settings);
  throw new SallyportError("NOT_SCALABLE", `the processes of the app ${name} cannot be scaled: ${why}`);
}
