// `sallyport serve`: a target, or a configuration, served until a signal says otherwise; or for one request, when a web
// server started us as a CGI program.
import type { Settings } from "../server/config.ts";
import { guess, placesOf } from "../server/guess.ts";
import { runProgram } from "../server/program.ts";
import { serverOf } from "../server/server.ts";
import { type CommandLine, usage } from "./options.ts";
import { namesAddress, settingsOf } from "./settings.ts";
import { targetOf } from "./target.ts";

/** Gives the exit code. Throws a SallyportError when it cannot start. */
export async function serve({ flags, words }: CommandLine): Promise<number> {
  const [word, extra] = words;
  if (extra !== undefined) throw usage(`one target at a time: ${word}, and then ${extra}`);
  const here = process.cwd();
  const { settings, directory } = await settingsOf(targetOf(word, flags.config, here), flags, here);
  if (namesAddress(flags)) return run(settings, directory);
  // Whoever started us knows better where to listen than a file or a default.
  const started = guess();
  if (started.by === "cgi") return serverOf(settings, { directory }).answerCgi(started.nph);
  return run({ ...settings, listen: placesOf(started, settings.listen) }, directory);
}

async function run(settings: Settings, directory: string): Promise<number> {
  const { started, ended } = runProgram(serverOf(settings, { directory }), settings.log.level === "debug");
  await started;
  return ended;
}
