// `sallyport dev`, and `serve --reload`: one server process, applications in processes of their own where they can be, and
// files that are watched.
import { resolve } from "node:path";
import type { AppSettings, Settings } from "../config/config.ts";
import { DevSession } from "../dev/session.ts";
import { keepPidFile } from "../server/pid-file.ts";
import { serverAccount } from "../server/privileges.ts";
import { runProgram } from "../server/program.ts";
import { serverOf } from "../server/server.ts";
import { attachAll, prepareAdmin } from "./admin.ts";
import { rereadChangeable } from "./changeable.ts";
import { usage } from "./command-line.ts";
import { countsOf } from "./counts.ts";
import { controlled, type ServePlan } from "./serve.ts";

type Developing = Pick<ServePlan, "settings" | "directory" | "flags" | "here" | "reread" | "config">;

/** Gives the exit code. Throws USAGE; that an application cannot be started is shown instead. */
export async function develop(plan: Developing): Promise<number> {
  const { settings, directory, flags, here, reread, config } = plan;
  if (flags["server-processes"] !== undefined && flags["server-processes"] > 1)
    throw usage("sallyport dev runs one server process; leave --server-processes to sallyport serve");
  if (await serverAccount(settings))
    throw usage("sallyport dev runs as the user who starts it; leave --user and --group to sallyport serve");
  const variableFiles = flags["env-file"] ?? [".env"];
  const session = new DevSession({
    apps: settings.apps,
    directory,
    files: [...(config === undefined ? [] : [config]), ...variableFiles.map((file) => resolve(here, file))],
    include: flags["reload-include"] ?? [],
    exclude: flags["reload-exclude"] ?? [],
  });
  const admin = await prepareAdmin(settings, directory);
  const developed = developing(session.env);
  // The number of server processes may change: one runs in any case, and applications are not embedded.
  const changed = rereadChangeable({ settings, directory, isSupervised: true }, reread);
  const server = serverOf(developed(settings), {
    directory,
    ownProcess: true,
    ...countsOf(admin),
    development: session,
    reread: async (made) => developed(await changed(made)),
  });
  if (settings.serverProcesses > 1)
    server.log.info(`one server process runs while you develop, not ${settings.serverProcesses}`);
  try {
    await session.watch(server);
    const attach = attachAll(controlled({ settings, directory }, server.log), admin?.attach(server));
    const { started, ended } = runProgram(server, settings.log, attach);
    await started;
    if (settings.pidFile !== undefined) keepPidFile(settings.pidFile);
    return await ended;
  } finally {
    await session.close();
  }
}

/** The settings of applications that are being developed, whose processes get these variables. */
function developing(more: Readonly<Record<string, string>>): (settings: Settings) => Settings {
  const developed = (app: AppSettings): AppSettings => {
    if (!PYTHON.some((kind) => kind in app)) return app;
    // An embedded application would take the server with it: it gets processes while it is being developed.
    const { mode: _embedded, env, ...rest } = app as Extract<AppSettings, { wsgi: unknown }>;
    return { ...rest, env: { ...more, ...env } };
  };
  return (settings) => ({
    ...settings,
    serverProcesses: 1,
    apps: Object.fromEntries(Object.entries(settings.apps).map(([name, app]) => [name, developed(app)])),
  });
}

const PYTHON = ["wsgi", "asgi", "callable"];
