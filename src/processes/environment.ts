// What a process of an application gets of our own environment: what was asked for, what programs need anywhere, and
// nothing that concerns this server alone.
// Tested by test/processes/isolation.test.ts.

/** What is passed on to every application: without these, programs are not found, and texts and times are wrong. */
const ALWAYS = ["PATH", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SystemRoot"];
/** Our options, the sockets of systemd, its channels to us, and those of Node. An application would take them for its own. */
const OWN =
  /^(SALLYPORT_.*|LISTEN_(PID|FDS|FDNAMES|PIDFDID)|NOTIFY_SOCKET|WATCHDOG_(PID|USEC)|NODE_(CHANNEL|UNIQUE)_.*)$/;

/** `names`: more of them than those that are always passed on; `*` stands for any text. */
export function inheritedEnvironment(
  names: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const wanted = patternOf([...ALWAYS, ...names]);
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(env))
    if (value !== undefined && wanted.test(name) && !OWN.test(name)) passed[name] = value;
  return passed;
}

/** Whether a variable is for this server alone. */
export const isOwnVariable = (name: string): boolean => OWN.test(name);

function patternOf(names: readonly string[]): RegExp {
  const escaped = names.map((name) => name.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*"));
  return new RegExp(`^(${escaped.join("|")})$`, "s");
}
