// What a process of an application gets of our own environment: what was asked for, what programs need anywhere, and
// nothing that concerns this server alone.
// Tested by test/processes/isolation.test.ts.

/** What is passed on to every application: without these, programs are not found, and texts and times are wrong. */
const ALWAYS = ["PATH", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SystemRoot"];
/**
 * Our options, the sockets of systemd, its channels to us, those of Node, and who may connect to us by FastCGI. An application
 * would take them for its own.
 */
const OWN =
  /^(SALLYPORT_.*|LISTEN_(PID|FDS|FDNAMES|PIDFDID)|NOTIFY_SOCKET|WATCHDOG_(PID|USEC)|NODE_(CHANNEL|UNIQUE)_.*|FCGI_WEB_SERVER_ADDRS)$/;
/**
 * The request, where we ourselves are a CGI program (RFC 3875, 4.1, and what Apache adds): a process of an application outlives it, would
 * take itself for the program, and its libraries would take a client's HTTP_PROXY for their proxy (CVE-2016-5385).
 */
const META_VARIABLES =
  /^(HTTP_.*|AUTH_TYPE|CONTENT_(LENGTH|TYPE)|GATEWAY_INTERFACE|PATH_(INFO|TRANSLATED)|QUERY_STRING|(REMOTE|REQUEST|SCRIPT|SERVER|REDIRECT|DOCUMENT|CONTEXT)_.*|UNIQUE_ID)$/;

/** `names`: more of them than those that are always passed on; `*` stands for any text. */
export function inheritedEnvironment(
  names: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const wanted = patternOf([...ALWAYS, ...names]);
  const ofRequest = isOfCgi(env);
  const foreign = (name: string): boolean => OWN.test(name) || (ofRequest && META_VARIABLES.test(name));
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(env))
    if (value !== undefined && wanted.test(name) && !foreign(name)) passed[name] = value;
  return passed;
}

/**
 * Whether it is that of a CGI program, which a web server has started for one request (RFC 3875, 4.1.4, 4.1.12). H2O leaves
 * GATEWAY_INTERFACE out; the other variables that must be there (4.1.13, 4.1.16) tell as much.
 */
export function isOfCgi(env: Readonly<Record<string, string | undefined>>): boolean {
  const { GATEWAY_INTERFACE, REQUEST_METHOD, SERVER_PROTOCOL, SCRIPT_NAME } = env;
  if (!REQUEST_METHOD) return false;
  if (GATEWAY_INTERFACE !== undefined) return GATEWAY_INTERFACE.startsWith("CGI/");
  return Boolean(SERVER_PROTOCOL) && SCRIPT_NAME !== undefined;
}

/** Whether a variable is for this server alone. */
export const isOwnVariable = (name: string): boolean => OWN.test(name);

function patternOf(names: readonly string[]): RegExp {
  const escaped = names.map((name) => name.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*"));
  return new RegExp(`^(${escaped.join("|")})$`, "s");
}
