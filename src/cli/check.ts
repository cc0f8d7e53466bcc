// `sallyport check [TARGET]`: whether a configuration is valid, what it would serve, and what it probably does not mean. Nothing
// is started.
import { adminAccess } from "../admin/settings.ts";
import { addressText } from "../config/address.ts";
import { TOKEN_VARIABLE } from "../config/admin.ts";
import type { Settings } from "../config/config.ts";
import { embeddedLimits } from "../config/embedded.ts";
import { routeText } from "../explain/text.ts";
import { appText, warningsOf } from "../explain/warnings.ts";
import { checkRecycling } from "../options/processes.ts";
import { checkPidFile } from "../server/pid-file.ts";
import { serverAccount } from "../server/privileges.ts";
import { routesOf } from "../server/routes.ts";
import { escapeControls } from "../wire/escape.ts";
import { type CommandLine, usage } from "./command-line.ts";
import { givenOf } from "./given.ts";
import { serveSettingsOf } from "./settings.ts";

/** What would be served. */
interface Checked {
  readonly listen: readonly string[];
  readonly apps: Readonly<Record<string, string>>;
  readonly routes: readonly { readonly route: string; readonly app: string }[];
  readonly warnings: readonly string[];
}

/** Gives the exit code 0; warnings are no failures. Throws a SallyportError for what is not valid. */
export async function checkCommand(line: CommandLine): Promise<number> {
  const here = process.cwd();
  const [word, extra] = line.words;
  if (extra !== undefined) throw usage(`one target at a time: ${word}, and then ${extra}`);
  const { target, flags, warnings } = givenOf(line.flags, word, here);
  const { settings, directory } = await serveSettingsOf(target, flags, here);
  await checkMore(settings, directory);
  const checked = checkedOf(settings, [...warnings, ...(await warningsOf(settings, directory))]);
  process.stdout.write(flags.json ? `${JSON.stringify(checked, undefined, 2)}\n` : textOf(checked));
  return 0;
}

/** What the start of a server would refuse as CONFIG_INVALID, though each key of it is right. */
async function checkMore(settings: Settings, directory: string): Promise<void> {
  const { admin, apps, pidFile } = settings;
  if (admin) adminAccess(admin, directory, process.env[TOKEN_VARIABLE] || undefined);
  embeddedLimits(settings);
  for (const app of Object.values(apps)) if ("maxMemory" in app || "memoryLimit" in app) checkRecycling(app);
  if (pidFile !== undefined) checkPidFile(pidFile);
  await serverAccount(settings);
}

const checkedOf = ({ listen, apps, routes }: Settings, warnings: readonly string[]): Checked => ({
  listen: listen.map(addressText),
  apps: Object.fromEntries(Object.entries(apps).map(([name, app]) => [name, appText(app)])),
  routes: routesOf({ routes, apps }).map((route) => ({
    route: routeText(route),
    app: route.app,
  })),
  warnings,
});

function textOf({ listen, apps, routes, warnings }: Checked): string {
  const width = Math.max(...routes.map(({ route }) => route.length));
  const lines = [
    ...listen.map((address) => `listens on ${address}`),
    ...routes.map(({ route, app }) => `${route.padEnd(width)}  app ${app}: ${apps[app]}`),
    ...warnings.map((warning) => `warning: ${warning}`),
    warnings.length === 0
      ? "valid"
      : `valid, with ${warnings.length} warning${warnings.length === 1 ? "" : "s"}`,
  ];
  return `${lines.map(escapeControls).join("\n")}\n`;
}
