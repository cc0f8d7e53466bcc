// Servers in front of us that split a path between SCRIPT_NAME and PATH_INFO in their own way (RFC 3875, 4.1.5 and
// 4.1.13). The peculiarities of each are here, under its name, and in no listener.
// Tested by test/cgi/metavariables/decode.test.ts.

import type { Variables } from "./names.ts";

/** Where the application is mounted, and the rest of the path; both decoded. */
export interface ScriptPath {
  readonly scriptName: string;
  readonly pathInfo: string;
}

/** Reads the path out of the variables of one peer. */
export type Peer = (variables: Variables) => ScriptPath;

/** SCRIPT_NAME and PATH_INFO as they were sent. */
export const asSent: Peer = (variables) => ({
  scriptName: variables.get("SCRIPT_NAME") ?? "",
  pathInfo: variables.get("PATH_INFO") ?? "",
});

/**
 * nginx's own `fastcgi_params` and `scgi_params` say SCRIPT_NAME = the whole path and no PATH_INFO: it does not know
 * where the application is mounted, so that is the root. With a `SCRIPT_NAME /app` written by hand and PATH_INFO left at
 * $document_uri, as uWSGI's manual has it, the mount is in both.
 */
export const fromNginx: Peer = (variables) => {
  const { scriptName, pathInfo } = asSent(variables);
  const whole = variables.get("DOCUMENT_URI") ?? variables.get("SCRIPT_NAME");
  if (pathInfo === "" && scriptName === whole) return { scriptName: "", pathInfo: scriptName };
  if (pathInfo === whole && isBelow(pathInfo, scriptName))
    return { scriptName, pathInfo: pathInfo.slice(scriptName.length) };
  return { scriptName, pathInfo };
};

const isBelow = (path: string, prefix: string): boolean =>
  prefix !== "" && (path === prefix || path.startsWith(`${prefix}/`));

/**
 * nginx does not keep a FastCGI connection on which anything follows the end of a request. Where it keeps one, its next
 * request may be on the way before it hears that we have ended ours, and it repeats no POST.
 */
export const nginxKeepsNoneWithMore = (software: string | undefined): boolean =>
  software?.startsWith("nginx") ?? false;

/** Caddy's FastCGI transport says the same as nginx where no script was split off. */
export const fromCaddy: Peer = fromNginx;

/** Caddy sends -1 for a body of unknown length (a chunked upload). */
export const caddyKnowsNoLength = (variables: Variables): boolean =>
  variables.get("CONTENT_LENGTH") === "-1" && isFrom("Caddy", variables);

/** `proxy:fcgi://127.0.0.1:9000/rest`, `proxy:scgi://...`, `proxy:balancer://...`; a Unix socket stands before a "|". */
const PROXIED = /^proxy:(?:unix:[^|]*\|)?[a-z]+:\/\/[^/]*(\/[^?]*)?/;

/**
 * Apache's mod_proxy_fcgi and mod_proxy_scgi say SCRIPT_NAME = the whole path. What ProxyPass left of it for the
 * application is, encoded, at the end of SCRIPT_FILENAME; the prefix that it matched is therefore the mount.
 * mod_proxy_uwsgi splits them, except that the slash of the mount itself is in both.
 */
export const fromApache: Peer = (variables) => {
  const { scriptName, pathInfo } = asSent(variables);
  if (pathInfo === "/" && scriptName.endsWith("/")) return { scriptName: scriptName.slice(0, -1), pathInfo };
  const proxied = PROXIED.exec(variables.get("SCRIPT_FILENAME") ?? "");
  if (pathInfo !== "" || !proxied) return { scriptName, pathInfo };
  const rest = [proxied[1] ?? "", decoded(proxied[1] ?? "")].find((path) => scriptName.endsWith(path));
  if (rest === undefined) return { scriptName: "", pathInfo: scriptName };
  return { scriptName: scriptName.slice(0, scriptName.length - rest.length), pathInfo: rest };
};

const decoded = (path: string): string =>
  path.replace(/%([0-9A-Fa-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));

/**
 * lighttpd with an application at "/" and no `fix-root-scriptname` takes the first segment of the path for the script.
 * Must be chosen by hand: it cannot be told from an application that is mounted at that segment.
 */
export const fromLighttpdRoot: Peer = (variables) => {
  const { scriptName, pathInfo } = asSent(variables);
  return { scriptName: "", pathInfo: scriptName + pathInfo };
};

const PEERS: readonly (readonly [software: string, peer: Peer])[] = [
  ["nginx", fromNginx],
  ["Caddy", fromCaddy],
  ["Apache", fromApache],
];

/** The peer that SERVER_SOFTWARE names; without a known name, variables are taken as they were sent. */
export const fromPeer: Peer = (variables) => {
  const known = PEERS.find(([name]) => isFrom(name, variables));
  return (known?.[1] ?? asSent)(variables);
};

const isFrom = (name: string, variables: Variables): boolean =>
  variables.get("SERVER_SOFTWARE")?.startsWith(name) ?? false;
