// `sallyport dev`, and `serve --reload`: one server process, applications in processes of their own where they can be, and
// files that are watched.
import type { AppSettings, Settings } from "../config/config.ts";
import { DevSession } from "../dev/session.ts";
import { keepPidFile } from "../server/pid-file.ts";
import { serverAccount } from "../server/privileges.ts";
import { runProgram } from "../server/program.ts";
import { serverOf } from "../server/server.ts";
import { usage } from "./command-line.ts";
import type { ServePlan } from "./serve.ts";

type Developing = Pick<ServePlan, "settings" | "directory" | "flags" | "reread" | "config">;

/** Gives the exit code. Throws USAGE; that an application cannot be started is shown instead. */
export async function develop({ settings, directory, flags, reread, config }: Developing): Promise<number> {
  if (settings.serverProcesses > 1)
    throw usage("sallyport dev runs one server process; leave --server-processes to sallyport serve");
  if (await serverAccount(settings))
    throw usage("sallyport dev runs as the user who starts it; leave --user and --group to sallyport serve");
  const { apps } = developed(settings);
  const session = new DevSession({
    apps,
    directory,
    files: config === undefined ? [] : [config],
    include: flags["reload-include"] ?? [],
    exclude: flags["reload-exclude"] ?? [],
  });
  const server = serverOf(developed(settings), {
    directory,
    development: session,
    reread: async () => developed(await reread()),
  });
  await session.watch(server);
  const { started, ended } = runProgram(server, settings.log);
  await started;
  if (settings.pidFile !== undefined) keepPidFile(settings.pidFile);
  const code = await ended;
  await session.close();
  return code;
}

/**
 * An embedded application would take the server with it: it gets processes while it is being developed. SALLYPORT_DEV puts
 * frameworks into their debug mode (python/sallyport/loader.py).
 */
function developedApp(app: AppSettings): AppSettings {
  if (!PYTHON.some((kind) => kind in app)) return app;
  const { mode: _embedded, env, ...rest } = app as Extract<AppSettings, { wsgi: unknown }>;
  return { ...rest, env: { SALLYPORT_DEV: "1", ...env } };
}

const developed = (settings: Settings): Settings => ({
  ...settings,
  apps: Object.fromEntries(Object.entries(settings.apps).map(([name, app]) => [name, developedApp(app)])),
});

const PYTHON = ["wsgi", "asgi", "callable"];
