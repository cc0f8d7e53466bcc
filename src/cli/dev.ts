// `sallyport dev`, and `serve --reload`: one server process, applications in processes of their own where they can be, and
// files that are watched.
import type { AppSettings, Settings } from "../config/config.ts";
import { DevSession } from "../dev/session.ts";
import { runProgram } from "../server/program.ts";
import { serverOf } from "../server/server.ts";
import { attachAll, countsOf, prepareAdmin } from "./admin.ts";
import { usage } from "./command-line.ts";
import { controlled, type ServePlan } from "./serve.ts";

type Developing = Pick<ServePlan, "settings" | "directory" | "flags" | "reread" | "config">;

/** Gives the exit code. Throws USAGE; that an application cannot be started is shown instead. */
export async function develop({ settings, directory, flags, reread, config }: Developing): Promise<number> {
  if (flags["server-processes"] !== undefined && flags["server-processes"] > 1)
    throw usage("sallyport dev runs one server process; leave --server-processes to sallyport serve");
  const { apps } = developed(settings);
  const session = new DevSession({
    apps,
    directory,
    files: config === undefined ? [] : [config],
    include: flags["reload-include"] ?? [],
    exclude: flags["reload-exclude"] ?? [],
  });
  const admin = await prepareAdmin(settings, directory);
  const server = serverOf(developed(settings), {
    directory,
    ...countsOf(admin),
    development: session,
    reread: async () => developed(await reread()),
  });
  if (settings.serverProcesses > 1)
    server.log.info(`one server process runs while you develop, not ${settings.serverProcesses}`);
  await session.watch(server);
  const { started, ended } = runProgram(
    server,
    settings.log,
    attachAll(controlled({ settings, directory }, server.log), admin?.attach(server)),
  );
  await started;
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
  serverProcesses: 1,
  apps: Object.fromEntries(Object.entries(settings.apps).map(([name, app]) => [name, developedApp(app)])),
});

const PYTHON = ["wsgi", "asgi", "callable"];
