// The configuration's section `apps`: a section for each kind of application.
// Tested by test/config/config.test.ts.

import { type Gateway, isFieldValue, isToken } from "../exchange/index.ts";
import { isGateway } from "../options/checks.ts";
import { nearest, suggestion } from "../options/did-you-mean.ts";
import { parseUpstream } from "../upstreams/index.ts";
import { isolation } from "./isolation.ts";
import {
  about,
  count,
  duration,
  environmentSchema,
  flag,
  path,
  processCounts,
  section,
  size,
  text,
  time,
  written,
} from "./schema.ts";
import * as z from "./zod.ts";

const TIMEOUT = "how long the app may take until its response begins; then 504";

const queueing = (queue: number, queueTimeout: string, wanted = "process") => ({
  queue: about(
    count(0).exactOptional(),
    `requests that may wait for a free ${wanted}; more get 503 (${queue})`,
  ),
  queueTimeout: about(
    time().exactOptional(),
    `how long a request may wait for one; then 503; 0: not at all (${queueTimeout})`,
  ),
});

/** When a process is replaced. */
const recycling = {
  maxRequests: about(
    count(0).exactOptional(),
    "requests that a process takes before another replaces it, for apps that leak; 0 for no limit (0)",
  ),
  maxAge: about(time().exactOptional(), "age at which another process replaces it; 0 for no limit (0)"),
  maxMemory: about(
    size().exactOptional(),
    "memory above which another process replaces it, without an effect on requests; Linux; 0 for no limit (0)",
  ),
  memoryLimit: about(
    size().exactOptional(),
    "memory above which a process is ended at once, with the requests inside; Linux; 0 for no limit (0)",
  ),
};

/** The keys of every app that finds files below a directory. */
const linked = {
  links: about(
    z.array(path()).min(1).exactOptional(),
    "other directories that links in this one may lead to, see [links](#links-that-lead-out-of-a-directory); `/` for any (none: 403)",
  ),
};

const PYTHON_APP = "`module:callable`, `module` (then `application` or `app`), `module:factory()`";

/** The keys of every Python application. */
const pythonApp = {
  python: about(
    text().exactOptional(),
    "the interpreter; otherwise that of `$VIRTUAL_ENV`, of `.venv` or `venv` in the project, or `python3`",
  ),
  chdir: about(path().exactOptional(), "working directory of the app, and the first place of its imports"),
  path: about(z.array(path()).exactOptional(), "more directories to import from"),
  processes: about(
    processCounts().exactOptional(),
    "worker processes, or bounds within which their number follows the requests, see [scaling](scaling.md) (1)",
  ),
  ...recycling,
  env: about(environmentSchema().exactOptional(), "environment variables of the processes"),
  ...isolation("all: `*`"),
  startTimeout: about(
    time().exactOptional(),
    "how long the import of the app and its startup may take (60s)",
  ),
};

const wsgiOnly = {
  threads: about(
    count().exactOptional(),
    "threads in each process; with 1 the app need not be thread-safe (1)",
  ),
  bufferBody: about(
    flag().exactOptional(),
    "a request body is complete before a process gets it, so that slow clients hold none; otherwise it streams (true)",
  ),
};

const asgiOnly = {
  concurrency: about(
    count().exactOptional(),
    "requests and WebSockets that each process has at once; more wait (4096)",
  ),
  lifespan: about(
    z.enum(["auto", "on", "off"]).exactOptional(),
    "whether the app takes part in the lifespan protocol; `auto`: if it does not refuse (`auto`)",
  ),
  loop: about(
    z.enum(["auto", "asyncio", "uvloop"]).exactOptional(),
    "the event loop; `auto`: uvloop where it can be imported (`auto`)",
  ),
  pathsend: about(
    flag().exactOptional(),
    "offer the app `http.response.pathsend`: the server reads its files; not for apps whose middleware reads bodies, see below (false)",
  ),
  blockedTimeout: about(
    time().exactOptional(),
    "how long the event loop may be blocked; then 504, and a new process; 0 for no limit (30s)",
  ),
  drainTimeout: about(
    time().exactOptional(),
    "how long requests under way may take when the app is reloaded (30s)",
  ),
};

const wsgiApp = section({
  wsgi: about(text(), `a WSGI application: ${PYTHON_APP}`),
  mode: about(
    z.enum(["daemon", "embedded"]).exactOptional(),
    "whether Python runs in processes of its own or inside the server process, see `serverProcesses` (`daemon`)",
  ),
  slowCall: about(
    time().exactOptional(),
    "embedded: how long a call may hold the server process before the log names the app; 0 for never (1s)",
  ),
  ...pythonApp,
  ...wsgiOnly,
  timeout: about(time().exactOptional(), `${TIMEOUT} (30s)`),
  ...queueing(1024, "30s"),
});

const asgiApp = section({
  asgi: about(text(), `an ASGI application: ${PYTHON_APP}`),
  ...pythonApp,
  ...asgiOnly,
  timeout: about(time().exactOptional(), `${TIMEOUT}; 0 for no limit (0)`),
  ...queueing(1024, "30s"),
});

const callableApp = section({
  callable: about(text(), `a Python application, WSGI or ASGI, detected when it is loaded: ${PYTHON_APP}`),
  ...pythonApp,
  ...wsgiOnly,
  ...asgiOnly,
  timeout: about(time().exactOptional(), `${TIMEOUT} (WSGI: 30s; ASGI: 0, no limit)`),
  ...queueing(1024, "30s"),
});

const cgiApp = section({
  cgi: about(path(), "a directory with programs, or one program that answers every path"),
  env: about(environmentSchema().exactOptional(), "more variables for the programs"),
  ...isolation("none"),
  chdir: about(path().exactOptional(), "working directory; otherwise the program's own"),
  processes: about(count().exactOptional(), "programs that may run at the same time (64)"),
  interpreters: about(
    z.record(z.string().regex(/^\./, "must start with a dot"), text()).exactOptional(),
    'programs that run files by suffix, such as `{ ".py": "python3" }`; others must be executable',
  ),
  nph: about(flag().exactOptional(), "let programs named `nph-...` write the status line themselves"),
  argvFromQuery: about(flag().exactOptional(), "a query without `=` becomes arguments (RFC 3875, 4.4)"),
  timeout: about(time().exactOptional(), `${TIMEOUT} (60s)`),
  totalTimeout: about(time().exactOptional(), "how long a program may run in all; then its response is cut"),
  killGrace: about(time().exactOptional(), "how long a program has between SIGTERM and SIGKILL (2s)"),
  documentRoot: about(path().exactOptional(), "DOCUMENT_ROOT; otherwise the directory of programs"),
  ...linked,
  bufferBody: about(
    flag().exactOptional(),
    "a request body is complete before a program starts; otherwise it streams where its length is known (true)",
  ),
  ...queueing(256, "10s"),
});

const staticApp = section({
  static: about(path(), "a directory of files"),
  index: about(
    z.union([text(), z.literal(false)]).exactOptional(),
    "the file that answers for a directory (`index.html`)",
  ),
  maxAge: about(duration().exactOptional(), "how long clients may keep a file without asking again (0)"),
  immutable: about(flag().exactOptional(), "files never change while `maxAge` lasts"),
  precompressed: about(
    flag().exactOptional(),
    "send `file.br` or `file.gz` to clients that take them (false)",
  ),
  ...linked,
  fallback: about(
    text().exactOptional(),
    "name of the app that answers where there is no file; otherwise 404",
  ),
});

const fieldValue = z
  .string()
  .refine(isFieldValue, "must be one line of Latin-1 characters, without control characters");
const MADE_BY_SERVER: ReadonlySet<string> = new Set(["connection", "content-length", "transfer-encoding"]);
const fieldName = z.string().refine((name) => isToken(name) && !MADE_BY_SERVER.has(name.toLowerCase()));

const answerApp = section({
  answer: about(
    z.number().int().min(200).max(599).meta({ title: "number" }),
    "the status that every request is answered with, such as 404",
  ),
  text: about(z.string().exactOptional(), "the body; otherwise status and reason"),
  headers: about(
    z.record(fieldName, z.union([fieldValue, z.number()])).exactOptional(),
    "headers, such as `{ Retry-After: 3600 }`",
  ),
});

const WHOLE_ADDRESS = "nothing can be added behind a query or a fragment: say keepPath: false as well";
const SAME_PATH = "must be true where only the scheme changes: name a URL to leave the path out";

const redirectApp = section({
  redirect: about(
    text().refine(isDestination, 'must be a URL, a path that begins with one slash, or "https:"'),
    "where clients are sent: a URL, a path, or `https:` for the same address with TLS",
  ),
  status: about(
    z.literal([301, 302, 303, 307, 308]).exactOptional(),
    "301 and 308 are for ever; with 307 and 308 the method stays (308)",
  ),
  keepPath: about(
    flag().exactOptional(),
    "what the path has below the route, and the query, are added (true)",
  ),
}).superRefine(({ redirect, keepPath }, context) => {
  if (/[?#]/.test(redirect) && keepPath !== false)
    context.addIssue({ code: "custom", message: WHOLE_ADDRESS, path: ["redirect"] });
  if (redirect.endsWith(":") && keepPath === false)
    context.addIssue({ code: "custom", message: SAME_PATH, path: ["keepPath"] });
});

/** Of a redirect. */
function isDestination(to: string): boolean {
  if (to === "https:" || to === "http:") return true;
  if (!isFieldValue(to) || /[^\x21-\x7e]/.test(to)) return false;
  return /^\/(?![/\\])/.test(to) || (/^https?:\/\/[^/]/i.test(to) && URL.canParse(to));
}

const moduleApp = section({
  module: about(
    path(),
    "a TypeScript or JavaScript module that exports a `fetch` object, a function, a node handler or a gateway",
  ),
  timeout: about(time().exactOptional(), TIMEOUT),
});

const isObjectOrFunction = (value: unknown): boolean =>
  typeof value === "function" || (typeof value === "object" && value !== null);

const handlerApp = section({
  app: about(
    z.custom<NonNullable<unknown>>(isObjectOrFunction, "must be an object or a function").meta({
      title: "app",
    }),
    "a `fetch` object or function, a node handler (Express, Koa, Fastify), or a gateway, in a configuration that is code",
  ),
  timeout: about(time().exactOptional(), TIMEOUT),
});

// Applications that listen themselves, or that we start and that listen then.

const AN_UPSTREAM = 'must be an address such as "unix:/run/app.sock" or "127.0.0.1:9000"';
const upstream = written("address", (value) => upstreamText(String(value)), AN_UPSTREAM);
const upstreams = () => z.union([upstream, z.array(upstream).min(1)], { error: AN_UPSTREAM });

function upstreamText(text: string): string | undefined {
  try {
    parseUpstream(text);
    return text;
  } catch {
    return undefined;
  }
}

/** A FastCGI application that we start. */
export const spawned = section({
  command: about(
    z.array(text()).min(1),
    "the program and its arguments; it gets a listening socket as descriptor 0",
  ),
  processes: about(
    processCounts().exactOptional(),
    "processes of it, or bounds within which their number follows the requests, see [scaling](scaling.md) (1; of PHP 4)",
  ),
  ...recycling,
  env: about(environmentSchema().exactOptional(), "environment variables of the processes"),
  ...isolation("all: `*`; of PHP none"),
  chdir: about(path().exactOptional(), "working directory; otherwise that of the configuration"),
  transport: about(z.enum(["unix", "tcp"]).exactOptional(), "the kind of socket that it listens on (`unix`)"),
});

const reached = () =>
  z.union([upstream, z.array(upstream).min(1), spawned], {
    error: `${AN_UPSTREAM}, a list of them, or a section with a command`,
  });

const AN_ADDRESS = "`unix:PATH` or `HOST:PORT`, or a list of them, of which the least busy is asked";
const variables = () =>
  about(
    environmentSchema().exactOptional(),
    "meta-variables besides those of the request, or instead of them",
  );
const connecting = {
  connectTimeout: about(
    time().exactOptional(),
    "how long connecting may take; 0 for as long as the system tries (5s)",
  ),
  bufferBody: about(
    flag().exactOptional(),
    "a request body is complete before the application gets it; otherwise it streams where its length is known (true)",
  ),
  timeout: about(time().exactOptional(), `${TIMEOUT} (30s)`),
  ...queueing(1024, "30s", "connection"),
};
const kept = {
  keep: about(
    flag().exactOptional(),
    "connections are kept for further requests (unless the application answers no FCGI_GET_VALUES)",
  ),
  connections: about(
    count().exactOptional(),
    "connections at once to each address (as many as the application announces, or 16)",
  ),
  idleTimeout: about(
    time().exactOptional(),
    "how long a kept connection may be idle (1s where the application runs elsewhere and takes one request at a time on each; otherwise 30s)",
  ),
  stallTimeout: about(
    time().exactOptional(),
    "between two pieces of a response, or of an upload that the application has to take; then the response is cut (60s)",
  ),
};
const INDEX = "scripts that answer for a directory (`index.php`)";
const FALLBACK =
  "the script, by its path in the directory, that answers where none does (WordPress, Laravel, Symfony: `index.php`); otherwise 404";

const phpApp = section({
  php: about(path(), "a directory of PHP scripts; existing ones only are run"),
  fastcgi: about(
    reached().exactOptional(),
    "where PHP-FPM listens, or the command to start, see below (`php-cgi`, 4 processes)",
  ),
  index: about(z.array(text()).min(1).exactOptional(), INDEX),
  fallback: about(text().exactOptional(), FALLBACK),
  suffix: about(text().exactOptional(), "what scripts end with (`.php`)"),
  ...linked,
  variables: variables(),
  ...kept,
  ...connecting,
});

const fastcgiApp = section({
  fastcgi: about(reached(), `${AN_ADDRESS}; or a section with the command to start, see below`),
  root: about(
    path().exactOptional(),
    "directory of scripts: only existing ones are passed on, as SCRIPT_FILENAME",
  ),
  suffix: about(text().exactOptional(), "what scripts below `root` end with (`.php`)"),
  ...linked,
  index: about(z.array(text()).min(1).exactOptional(), INDEX),
  fallback: about(text().exactOptional(), FALLBACK),
  role: about(
    z.enum(["responder", "filter"]).exactOptional(),
    "a filter gets the file below `root` as well (`responder`)",
  ),
  authorizer: about(reached().exactOptional(), "a FastCGI authorizer, reached likewise, that is asked first"),
  variables: variables(),
  ...kept,
  ...connecting,
});

const overSocket = {
  variables: variables(),
  connections: about(count().exactOptional(), "connections at once, to all addresses together (256)"),
  idleTimeout: about(time().exactOptional(), "between two pieces of a response; then it is cut (60s)"),
  ...connecting,
};

const scgiApp = section({ scgi: about(upstreams(), AN_ADDRESS), ...overSocket });
const uwsgiApp = section({ uwsgi: about(upstreams(), AN_ADDRESS), ...overSocket });

const gatewayApp = z
  .custom<Gateway>(isGateway, "must be a gateway")
  .meta({ title: "gateway", description: "a gateway made by code, in a configuration that is code" });

/** The kinds of apps, each identified by its key. PHP's section may also have that of FastCGI, so it comes first. */
export const APP_KINDS = {
  wsgi: wsgiApp,
  asgi: asgiApp,
  callable: callableApp,
  cgi: cgiApp,
  static: staticApp,
  answer: answerApp,
  redirect: redirectApp,
  module: moduleApp,
  app: handlerApp,
  php: phpApp,
  fastcgi: fastcgiApp,
  scgi: scgiApp,
  uwsgi: uwsgiApp,
} as const;

/** An application of the configuration. */
export const app = z.union(
  [
    wsgiApp,
    asgiApp,
    callableApp,
    cgiApp,
    staticApp,
    answerApp,
    redirectApp,
    moduleApp,
    handlerApp,
    phpApp,
    fastcgiApp,
    scgiApp,
    uwsgiApp,
    gatewayApp,
  ],
  {
    error: ({ input }) => {
      const kinds = Object.keys(APP_KINDS);
      const typed = Object.keys(Object(input)).find((key) => nearest(key, kinds));
      return `must have one of the keys ${kinds.join(", ")}${typed ? suggestion(typed, kinds) : ""}`;
    },
  },
);
