// Why a CGI program did not start. A request may be larger than what the system hands to a new process (execve(2), E2BIG):
// that is the client's fault, unless the configured variables are larger still.
// Tested by test/protocols/cgi/endings.test.ts.
import { SallyportError } from "../../exchange/index.ts";
import type { Command, CommandOptions } from "./command.ts";

/** The error to answer with, when starting `command` ended with `failure`: HEADERS_TOO_LARGE, or the failure itself. */
export function startFailure(
  failure: SallyportError | undefined,
  { args, env }: Command,
  own: Pick<CommandOptions, "inherited" | "env">,
): SallyportError | undefined {
  const reason = (failure?.cause as Error | undefined)?.message ?? "";
  if (!reason.endsWith("E2BIG")) return failure;
  const isOwn = (name: string): boolean => name in own.inherited || name in own.env;
  const names = Object.keys(env);
  const configured = sizeOf(env, names.filter(isOwn));
  const requested = sizeOf(
    env,
    names.filter((name) => !isOwn(name)),
  );
  return requested + args.join("").length > configured ? tooLarge(failure) : failure;
}

/** As characters: it is only compared. */
const sizeOf = (env: Command["env"], names: readonly string[]): number =>
  names.reduce((sum, name) => sum + name.length + (env[name]?.length ?? 0), 0);

export const tooLarge = (cause?: Error): SallyportError =>
  new SallyportError(
    "HEADERS_TOO_LARGE",
    "a header, or all of them, are larger than what the system hands to a program (on Linux 128 KiB each)",
    { cause },
  );
