// What a command that reads a configuration is given: options, variables, files of variables, and the target.
// Tested by test/cli/variables.test.ts.
import { envFilesOf, loadEnvFiles } from "./env-file.ts";
import type { Flags } from "./options.ts";
import { type ServeTarget, targetOf } from "./target.ts";
import { variablesIn, withVariables } from "./variables.ts";

export interface Given {
  readonly target: ServeTarget;
  /** The options, and the variables that stand for others. */
  readonly flags: Flags;
  /** For the log, a line each: variables that mean nothing. */
  readonly warnings: readonly string[];
  /** Reads the files of variables again, and gives what puts the earlier ones back. Throws CONFIG_INVALID, with nothing changed. */
  readonly readVariables: () => () => void;
}

/**
 * Reads the files of variables first: these may name options, and the configuration. `word` is the target of the command line,
 * relative to `here`. `inherits`: a server process, which has the variables that its supervisor has read; the files may be others
 * by now. Throws USAGE, CONFIG_INVALID or TARGET_NOT_FOUND.
 */
export function givenOf(own: Flags, word: string | undefined, here: string, inherits = false): Given {
  const { reload, "env-file": named } = { ...variablesIn(process.env).flags, ...own };
  const readVariables = (): (() => void) => loadEnvFiles(envFilesOf(named, reload === true, here));
  if (!inherits) readVariables();
  const variables = variablesIn(process.env);
  const config = own.config ?? (word === undefined ? variables.flags.config : undefined);
  const target = targetOf(word, config, here, wantedOf({ ...variables.flags, ...own }));
  return { ...withVariables(own, variables, target.kind), target, readVariables };
}

/** The interface that the options ask for, if they do. */
const wantedOf = ({ interface: wanted }: Flags): "wsgi" | "asgi" | undefined =>
  wanted === "auto" ? undefined : wanted;
