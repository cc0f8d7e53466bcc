// Which app answers a request: by scheme, then by host, then by path prefix, then by suffix. A path that can be read in two ways which
// lead to different apps is refused, so that no spelling of `..`, `//` or `%2f` gets around a route (edge C5).
import {
  type Exchange,
  firstRequest,
  type Gateway,
  type RequestHead,
  SallyportError,
} from "../exchange/index.ts";

export interface Route {
  /** `http` or `https`; either when absent. */
  readonly scheme?: string | undefined;
  /** `example.org`, or `*.example.org` for every name below it; any host when absent. */
  readonly host?: string | undefined;
  /** A path, segment by segment: `/admin` is `/admin` and all below it, not `/administrator`. Absent: every path. */
  readonly path?: string | undefined;
  /** `.php`: paths with a segment that ends so. */
  readonly suffix?: string | undefined;
  /** The prefix stays in PATH_INFO and SCRIPT_NAME stays empty. */
  readonly keepPrefix?: boolean | undefined;
  /** The app's name. */
  readonly app: string;
}

/** What a route takes, but for its suffix: `example.org/shop`, `http://*` with the path. */
export const routePrefix = ({ scheme, host, path = "/" }: Route): string =>
  `${scheme === undefined ? (host ?? "") : `${scheme}://${host ?? "*"}`}${path}`;

/** Without routes the only app answers everything. */
export const routesOf = ({ routes, apps }: RoutedApps): readonly Route[] =>
  routes ?? Object.keys(apps).map((app) => ({ app }));

interface RoutedApps {
  readonly routes?: readonly Route[] | undefined;
  readonly apps: Readonly<Record<string, unknown>>;
}

/** What became of a route when a request was matched. */
export interface RouteVerdict {
  readonly route: Route;
  readonly answers: boolean;
  readonly why: string;
}

interface CompiledRoute extends Route {
  readonly gateway: Gateway;
  /** The prefix's segments, decoded, as latin-1. */
  readonly segments: readonly string[];
  readonly matchesHost: (host: string) => boolean;
  readonly rank: readonly number[];
}

/** The decoded segments of a path: `/a/b` is `["a", "b"]`, `/` is `[""]`. */
type Segments = readonly string[];

/** A path with nothing to decode and no empty or dotted segment reads one way only. */
const AMBIGUOUS = /%|\/[/.]|\\/;

/**
 * The mount that a server in front gave a request (its SCRIPT_NAME): a local redirect from there needs it again, also after
 * a reload has replaced the routes.
 */
const outerMounts = new WeakMap<RequestHead, string>();
let hasOuterMounts = false;

export class Routes {
  readonly #routes: readonly CompiledRoute[];
  /** The one route when it takes everything: nothing needs to be looked at. */
  readonly #only: CompiledRoute | undefined;
  readonly #byHost: boolean;
  readonly #gateways: ReadonlyMap<string, Gateway>;
  /** `gateways` by the name of their app; a route to a missing one is a TypeError (the configuration was checked before). */
  constructor(routes: readonly Route[], gateways: ReadonlyMap<string, Gateway>) {
    this.#gateways = gateways;
    this.#routes = routes.map((route) => compile(route, gateways)).sort(byRank);
    this.#byHost = routes.some(({ host }) => host !== undefined);
    const first = this.#routes[0];
    this.#only = first && takesAll(first) ? first : undefined;
  }

  /**
   * Sets the exchange's mount and returns its route. The paths of routes begin below the outer mount. Throws NOT_FOUND
   * or BAD_PATH.
   */
  match(exchange: Exchange): CompiledRoute {
    const outer = exchange.mount === "" && !hasOuterMounts ? "" : this.#outerMountOf(exchange);
    if (this.#only) return this.#only;
    const path = exchange.request.path.slice(outer.length);
    const { scheme, authority } = exchange.request;
    const host = this.#byHost ? hostOf(authority) : "";
    const route = this.#find(scheme, host, segmentsAsSent(path));
    if (AMBIGUOUS.test(path) && this.#find(scheme, host, segmentsAsMeant(path)) !== route)
      throw ambiguous(path);
    if (!route) throw new SallyportError("NOT_FOUND", `no route for ${host}${path}`);
    exchange.mount = outer + (route.keepPrefix ? "" : rawPrefix(path, route.segments.length));
    return route;
  }

  /** Gives the exchange to the app of this name, whatever the routes say. A reload may have removed it meanwhile. */
  pass(app: string, exchange: Exchange): void {
    const gateway = this.#gateways.get(app);
    if (gateway) gateway.handle(exchange);
    else exchange.fail(new SallyportError("NOT_FOUND", `there is no app ${app} any more`));
  }

  /** The mount that came with the exchange, or with the one that was redirected here. */
  #outerMountOf(exchange: Exchange): string {
    const { request } = exchange;
    if (exchange.mount !== "") {
      hasOuterMounts = true;
      outerMounts.set(request, exchange.mount);
    } else exchange.mount = this.#firstOuterMount(request);
    return exchange.mount;
  }

  #firstOuterMount(request: RequestHead): string {
    const outer = outerMounts.get(firstRequest(request)) ?? "";
    if (outer === "" || `${request.path}/`.startsWith(`${outer}/`)) return outer;
    throw new SallyportError("NOT_FOUND", `a local redirect leads out of ${outer}: ${request.path}`);
  }

  /** Every route in the order in which they are tried, and why it answers the request or does not. */
  explain({ request, mount }: Exchange): RouteVerdict[] {
    const host = hostOf(request.authority);
    const segments = segmentsAsSent(request.path.slice(mount.length));
    const chosen = this.#find(request.scheme, host, segments);
    return this.#routes.map((route) => {
      const against = objections(route, request.scheme, host, segments);
      if (route === chosen) return { route, answers: true, why: "the first that fits" };
      const why = against.length > 0 ? against.join(", ") : "it fits, but another one comes before it";
      return { route, answers: false, why };
    });
  }

  #find(scheme: string, host: string, segments: Segments): CompiledRoute | undefined {
    for (const route of this.#routes) {
      if (
        startsWith(segments, route.segments) &&
        hasSuffix(segments, route.suffix) &&
        route.matchesHost(host) &&
        hasScheme(route, scheme)
      )
        return route;
    }
    return undefined;
  }
}

const hasScheme = (route: Route, scheme: string): boolean =>
  route.scheme === undefined || route.scheme === scheme;

const takesAll = ({ scheme, host, segments, suffix }: CompiledRoute): boolean =>
  !scheme && !host && segments.length === 0 && !suffix;

/** Why a route does not answer. */
function objections(route: CompiledRoute, scheme: string, host: string, segments: Segments): string[] {
  const found: string[] = [];
  if (!hasScheme(route, scheme)) found.push(`the request came by ${scheme}, not ${route.scheme}`);
  if (!startsWith(segments, route.segments)) found.push(`the path is not below ${route.path}`);
  if (!hasSuffix(segments, route.suffix)) found.push(`no part of the path ends with ${route.suffix}`);
  if (!route.matchesHost(host)) found.push(`the host is ${host || "not named"}, not ${route.host}`);
  return found;
}

function compile(route: Route, gateways: ReadonlyMap<string, Gateway>): CompiledRoute {
  const gateway = gateways.get(route.app);
  if (!gateway) throw new TypeError(`a route names the app ${route.app}, which does not exist`);
  const segments = prefixSegments(route.path ?? "/");
  const rank = [route.scheme ? 1 : 0, ...hostRank(route.host), segments.length, route.suffix ? 1 : 0];
  return { ...route, gateway, segments, matchesHost: hostMatcher(route.host), rank };
}

/** The greater rank is tried first; equal ranks keep the order of the configuration (sort is stable). */
function byRank(a: CompiledRoute, b: CompiledRoute): number {
  for (let i = 0; i < a.rank.length; i++) {
    const difference = (b.rank[i] as number) - (a.rank[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** A name in full before `*.name`, the longer of these first, before any host. */
function hostRank(host: string | undefined): [number, number] {
  if (host === undefined) return [0, 0];
  return host.startsWith("*.") ? [1, host.length] : [2, 0];
}

function hostMatcher(pattern: string | undefined): (host: string) => boolean {
  if (pattern === undefined) return () => true;
  const name = hostOf(pattern);
  if (!name.startsWith("*.")) return (host) => host === name;
  const ending = name.slice(1);
  return (host) => host.length > ending.length && host.endsWith(ending);
}

/** Lower case, without the port and the root's dot. */
function hostOf(authority: string): string {
  return authority.toLowerCase().replace(/:\d*$/, "").replace(/\.$/, "");
}

/** A configured prefix is UTF-8 text, may be percent-encoded, and its last slash says nothing. */
function prefixSegments(prefix: string): Segments {
  const bytes = Buffer.from(prefix.replace(/\/+$/, ""), "utf8").toString("latin1");
  return bytes === "" ? [] : bytes.slice(1).split("/").map(decode);
}

/** Segments between the slashes that were sent, each decoded once. */
const segmentsAsSent = (path: string): Segments =>
  path.includes("%") ? path.slice(1).split("/").map(decode) : path.slice(1).split("/");

/** What a file system or a careless app makes of the path: all decoded, `\` as `/`, no empty or dotted segments. */
function segmentsAsMeant(path: string): Segments {
  const segments: string[] = [];
  for (const segment of decode(path).split(/[/\\]/)) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(segment);
  }
  return segments;
}

/** Percent-decoding, once, into bytes; what is no valid escape stays as it is. */
const decode = (text: string): string =>
  text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

function startsWith(segments: Segments, prefix: Segments): boolean {
  if (segments.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (segments[i] !== prefix[i]) return false;
  return true;
}

const hasSuffix = (segments: Segments, suffix: string | undefined): boolean =>
  suffix === undefined || segments.some((segment) => segment.endsWith(suffix));

/** The first `count` segments of `path`, as they were sent. */
function rawPrefix(path: string, count: number): string {
  let end = 0;
  for (let i = 0; i < count; i++) end = path.indexOf("/", end + 1);
  return end < 0 ? path : path.slice(0, end);
}

const ambiguous = (path: string): SallyportError =>
  new SallyportError("BAD_PATH", `the path ${path} can be read as leading to two different apps`);
