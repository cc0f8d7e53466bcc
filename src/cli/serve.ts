// `sallyport serve`: the life of a server under a process manager, a container or a terminal.
import { SallyportError } from "../exchange/index.ts";
import { type Server, serverOf } from "../server/server.ts";
import { type CommandLine, usage } from "./options.ts";
import { settingsOf } from "./settings.ts";
import { targetOf } from "./target.ts";
import { noteUncaught } from "./uncaught.ts";

/** Serves until a signal says otherwise; gives the exit code. Throws a SallyportError when it cannot start. */
export async function serve({ flags, words }: CommandLine): Promise<number> {
  const [word, extra] = words;
  if (extra !== undefined) throw usage(`one target at a time: ${word}, and then ${extra}`);
  const here = process.cwd();
  const { settings, directory } = await settingsOf(targetOf(word, flags.config, here), flags, here);
  const server = serverOf(settings, { directory });
  const ended = untilEnded(server, settings.log.level === "debug");
  // A signal may come while an app takes its time to start: then nobody waits for it.
  await Promise.race([start(server), ended]);
  return ended;
}

async function start(server: Server): Promise<void> {
  try {
    for (const url of await server.start()) process.stderr.write(`listening on ${url}\n`);
  } catch (error) {
    if (SallyportError.from(error).code !== "ERR_SALLYPORT_STOPPING") throw error;
  }
}

/** Resolves with the exit code once a signal, or a failure that nobody caught, has ended the server. */
function untilEnded(server: Server, debug: boolean): Promise<number> {
  return new Promise((resolve) => {
    let stopping = false;
    const stop = (code: number): void => {
      stopping = true;
      void server.stop().then(() => resolve(code));
    };
    for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => (stopping ? force() : stop(0)));
    process.on("SIGHUP", () => void reload(server));
    process.on("SIGUSR1", () => server.reopenLogs());
    process.on("unhandledRejection", (error) => noteUncaught(server.log, error, debug));
    process.on("uncaughtException", (error) => {
      noteUncaught(server.log, error, debug);
      stop(1);
    });
  });
}

/** The second signal: nothing is waited for. Processes of ours are killed on the way out. */
function force(): void {
  process.stderr.write("sallyport: stopped at once by a second signal; requests under way were cut\n");
  process.exit(1);
}

async function reload(server: Server): Promise<void> {
  try {
    await server.reload();
  } catch (error) {
    const { message, code, detail } = SallyportError.from(error);
    server.log.error(`the reload failed and the old generation goes on: ${message}`, { code, detail });
  }
}
