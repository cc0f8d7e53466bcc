// How each server is started: ours, the spike, and the peers, each with the quickest loop and parser that it has, and no
// log. `command({ port, node, python })` gives the words; `node` and `python` are paths of programs.
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { which } from "../scripts/setup/programs.mjs";
import { ROOT } from "../scripts/setup/setup.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const APPS = here("apps");
const OURS = join(ROOT, "bin", "sallyport.js");
const QUIET = ["--access-log", "off", "--log-level", "error"];
/** Debian's, which mod_wsgi has inside. */
export const SYSTEM_PYTHON = "/usr/bin/python3";
const MOD_WSGI = "/usr/lib/apache2/modules/mod_wsgi.so";

const beside = (python, program) => join(dirname(python), program);
const count = (number, one, many = `${one}es`) => (number === 1 ? `1 ${one}` : `${number} ${many}`);
const workers = (number) => count(number, "worker", "workers");

const installed =
  (program) =>
  ({ python }) =>
    existsSync(beside(python, program)) ? undefined : `${program} is not installed`;

const importable =
  (module) =>
  ({ modules }) =>
    modules.includes(module) ? undefined : `${module} is not installed`;

const onPath =
  (...programs) =>
  () => {
    const missing = programs.find((program) => !which(program));
    return missing && `${missing} is not installed`;
  };

/** Our own command line, as a user would start it. */
export const serve = ({ node, python, port }, app, ...options) => [
  ...[node, OURS, "serve", app, "--chdir", APPS, "--python", python, "--port", String(port)],
  ...[...QUIET, ...options],
];

/** Python in processes of its own. */
export const sallyport = (app, processes, { serverProcesses = 1, threads = 1, name } = {}) => ({
  name: name ?? `sallyport, ${describe(processes, serverProcesses, threads)}`,
  kind: "ours",
  command: (context) =>
    serve(
      context,
      app,
      ...["--processes", String(processes), "--server-processes", String(serverProcesses)],
      ...(threads > 1 ? ["--threads", String(threads)] : []),
    ),
});

/** With an admin listener: metrics and dashboard, nobody looks. */
export const watched = (contender) => ({
  ...contender,
  name: `${contender.name}, with metrics`,
  command: (context) => [
    ...contender.command(context),
    ...["--admin", `unix:${join(tmpdir(), `sallyport-bench-${context.port}.sock`)}`],
  ],
});

const describe = (processes, serverProcesses, threads) =>
  [
    serverProcesses > 1
      ? `${count(serverProcesses, "server process")} with ${count(processes, "process")} each`
      : undefined,
    serverProcesses > 1 ? undefined : count(processes, "process"),
    threads > 1 ? `${threads} threads` : undefined,
  ]
    .filter(Boolean)
    .join(", ");

/** Python inside the server processes. */
export const embedded = (app, serverProcesses, python) => ({
  name: `sallyport embedded, ${count(serverProcesses, "server process")}`,
  kind: "ours",
  missing: () => (python && !existsSync(python) ? `${python} is not here` : undefined),
  command: (context) =>
    serve(
      { ...context, python: python ?? context.python },
      ...[app, "--embedded", "--server-processes", String(serverProcesses)],
    ),
});

export const spike = (app, processes) => ({
  name: `the spike, ${count(processes, "process")}`,
  kind: "spike",
  command: ({ node, python, port }) => [
    ...[node, here("spike/daemon.mjs"), app, APPS, String(port), python, String(processes)],
  ],
});

export const spikeEmbedded = (app) => ({
  name: "the spike, embedded",
  kind: "spike",
  command: ({ node, python, port }) => [node, here("spike/embedded.mjs"), app, APPS, String(port), python],
});

export const granian = (kind, app, number, { threads } = {}) => ({
  name: `Granian, ${workers(number)}${threads ? `, ${threads} threads` : ""}`,
  missing: installed("granian"),
  command: ({ python, port }) => [
    beside(python, "granian"),
    ...["--interface", kind, "--port", String(port), "--workers", String(number), "--working-dir", APPS],
    ...(kind === "asgi" ? ["--loop", "uvloop"] : []),
    ...(threads ? ["--blocking-threads", String(threads)] : []),
    ...["--no-log", app],
  ],
});

export const bjoern = (app, processes = 1) => ({
  name: processes === 1 ? "bjoern" : `bjoern, ${count(processes, "process")}`,
  missing: importable("bjoern"),
  command: ({ python, port }) => [python, here("apps/serve_bjoern.py"), app, String(port), String(processes)],
});

export const fastpysgi = (app, number) => ({
  name: `fastpysgi, ${workers(number)}`,
  missing: importable("fastpysgi"),
  command: ({ python, port }) => [
    ...[python, here("apps/serve_fastpysgi.py"), app, String(port), String(number)],
  ],
});

/** `kind` is its worker class: sync, gthread or asgi. */
export const gunicorn = (kind, app, number, { threads = kind === "gthread" ? 4 : 1 } = {}) => ({
  name: `gunicorn ${kind}, ${workers(number)}${threads > 1 ? `, ${threads} threads` : ""}`,
  missing: installed("gunicorn"),
  command: ({ python, port }) => [
    beside(python, "gunicorn"),
    ...["--bind", `127.0.0.1:${port}`, "--workers", String(number), "--worker-class", kind],
    ...["--chdir", APPS, "--log-level", "critical"],
    ...(kind === "gthread" ? ["--threads", String(threads)] : []),
    ...(kind === "asgi" ? ["--asgi-loop", "uvloop"] : []),
    app,
  ],
});

export const uvicorn = (app, number) => ({
  name: `uvicorn, ${workers(number)}`,
  missing: installed("uvicorn"),
  command: ({ python, port }) => [
    beside(python, "uvicorn"),
    ...["--port", String(port), "--workers", String(number), "--app-dir", APPS, "--lifespan", "auto"],
    ...["--loop", "uvloop", "--http", "httptools", "--ws", "websockets"],
    ...["--no-access-log", "--log-level", "critical", app],
  ],
});

export const hypercorn = (app, number) => ({
  name: `Hypercorn, ${workers(number)}`,
  missing: installed("hypercorn"),
  command: ({ python, port }) => [
    beside(python, "hypercorn"),
    ...["--bind", `127.0.0.1:${port}`, "--workers", String(number), "--worker-class", "uvloop"],
    ...["--log-level", "CRITICAL", `${APPS}/${app}`],
  ],
});

/** Its quickest way: the HTTP/1.1 socket with kept connections, no router process in between. */
export const uwsgi = (app, processes) => ({
  name: `uWSGI http11-socket, ${count(processes, "process")}`,
  missing: installed("uwsgi"),
  command: uwsgiCommand(app, processes, "--http11-socket"),
});

/** The way that its manual gives for a server without another in server: a router process, which keeps connections. */
export const uwsgiRouter = (app, processes) => ({
  name: `uWSGI http, ${count(processes, "process")}`,
  missing: installed("uwsgi"),
  command: uwsgiCommand(app, processes, "--http-keepalive", "--http"),
});

const uwsgiCommand =
  (app, processes, ...socket) =>
  ({ python, port }) => [
    beside(python, "uwsgi"),
    ...[...socket, `127.0.0.1:${port}`, "--listen", "128", "--processes", String(processes)],
    ...["--master", "--single-interpreter", "--disable-logging", "--die-on-term"],
    ...["--chdir", APPS, "--module", app],
  ];

/** An application and a server in front of it; see stack.mjs. */
const stack = (kind, name, label, ...programs) => ({
  name: label,
  kind,
  launcher: true,
  missing: onPath(...programs),
  command: ({ node, port }) => [node, here("stack.mjs"), name, String(port)],
});

export const phpSallyport = () => stack("ours", "php-sallyport", "sallyport", "php-cgi");
export const phpNginx = () => stack("peer", "php-nginx", "nginx, a connection a request", "nginx", "php-cgi");
/** It takes a connection of php-fpm for each of its own, and there are no more than php-fpm has processes. */
export const phpNginxKept = () =>
  stack("peer", "php-nginx-kept", "nginx, kept connections", "nginx", "php-cgi");
export const behindNginx = () => stack("ours", "node-fastcgi", "sallyport by fastcgi_pass", "nginx");
export const httpBehindNginx = () => ({
  ...stack("peer", "node-http", "node:http by proxy_pass", "nginx"),
  onNode: true,
});

export const modWsgi = () => ({
  ...stack("peer", "mod-wsgi", "Apache mod_wsgi, 2 processes", "apache2"),
  missing: () => onPath("apache2")() ?? (existsSync(MOD_WSGI) ? undefined : "mod_wsgi is not installed"),
});

/** A handler of bench/apps or bench/stacks, served by us. */
export const handler = (file, name) => ({
  name,
  kind: "ours",
  command: ({ node, port }) => [node, OURS, "serve", here(file), "--port", String(port), ...QUIET],
});

export const nodeHttp = () => ({
  name: "node:http",
  onNode: true,
  command: ({ node, port }) => [node, here("apps/node_http.mjs"), String(port)],
});

/** The same handler on node:http; `global` is whether Response may be replaced, which is what it does when not told. */
export const honoServer = (app, name, global) => ({
  name,
  onNode: true,
  command: ({ node, port }) => [node, here("apps/hono_server.mjs"), app, String(port), global],
});

/** All of a contender's processes on one processor. */
export const onOneCore = (contender) => ({
  ...contender,
  name: `${contender.name}, one core`,
  missing: (context) => contender.missing?.(context) ?? onPath("taskset")(),
  command: (context) => ["taskset", "--cpu-list", "0", ...contender.command(context)],
});
