// Files of environment variables (`.env`): for `${NAME}` in the configuration, for options, and for the apps, which inherit
// them. The real environment goes before them. They are read again with the configuration.
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseEnv } from "node:util";
import { SallyportError } from "../exchange/index.ts";

type Environment = Record<string, string | undefined>;

/** The names that came from files, for a reload and for our own child processes: the next content may replace them. */
const MARK = "SALLYPORT_FROM_ENV_FILE";

/** The files that are named, or in development `.env` in the working directory if there is one. */
export function envFilesOf(named: readonly string[] | undefined, develops: boolean, here: string): string[] {
  if (named) return named.map((file) => resolve(here, file));
  const usual = join(here, ".env");
  return develops && existsSync(usual) ? [usual] : [];
}

/**
 * Puts the variables of `files` into `env`, in place of those that came from files before; of two files the later wins. Gives what
 * puts the earlier ones back. Throws CONFIG_INVALID, and then nothing has changed.
 */
export function loadEnvFiles(files: readonly string[], env: Environment = process.env): () => void {
  const content: Environment = Object.assign({}, ...files.map(contentOf));
  const before = Object.fromEntries(namesIn(env).map((name) => [name, env[name]]));
  replace(env, content);
  return () => replace(env, before);
}

const namesIn = (env: Environment): string[] => (env[MARK] ?? "").split(",").filter(Boolean);

/** A variable that is there without a file stays. */
function replace(env: Environment, variables: Environment): void {
  for (const name of namesIn(env)) delete env[name];
  const fresh = Object.keys(variables).filter(
    (name) => variables[name] !== undefined && env[name] === undefined,
  );
  for (const name of fresh) env[name] = variables[name];
  if (fresh.length > 0) env[MARK] = fresh.join(",");
  else delete env[MARK];
}

function contentOf(file: string): NodeJS.Dict<string> {
  try {
    return parseEnv(readFileSync(file, "utf8"));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such file" : message;
    throw new SallyportError("CONFIG_INVALID", `${file}: ${why}; it was named by --env-file`, {
      cause: error,
    });
  }
}
