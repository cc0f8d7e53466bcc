// What is measured against what, with which settings, and which ratio we owe. Every contender answers GET / on `port`.
import { fileURLToPath } from "node:url";
import { which } from "../scripts/setup/programs.mjs";
import { ROOT } from "../scripts/setup/setup.mjs";
import { echoes } from "./load.mjs";

const APPS = fileURLToPath(new URL("apps", import.meta.url));
const venv = (program) => `${ROOT}.venv/bin/${program}`;

const sallyport = (app, processes) => ({
  name: `sallyport, ${count(processes)}`,
  command: (port) => serve(`${app}:app`, port, "--processes", String(processes)),
});

const gunicorn = (app, workers) => ({
  name: `gunicorn sync, ${count(workers)}`,
  needs: venv("gunicorn"),
  command: (port) => [
    venv("gunicorn"),
    ...["--bind", `127.0.0.1:${port}`, "--workers", String(workers), "--chdir", APPS],
    ...["--log-level", "critical", `${app}:app`],
  ],
});

/** Its quickest way: the HTTP/1.1 socket with kept connections, no router process in between, no log. */
const uwsgi = (app, processes) => ({
  name: `uWSGI, ${count(processes)}`,
  needs: venv("uwsgi"),
  command: (port) => [
    venv("uwsgi"),
    ...["--http11-socket", `127.0.0.1:${port}`, "--listen", "128", "--processes", String(processes)],
    ...["--master", "--single-interpreter", "--disable-logging", "--die-on-term"],
    ...["--chdir", APPS, "--module", `${app}:app`],
  ],
});

/** With the quickest loop and parser that it has, and no log. */
const uvicorn = (app, workers) => ({
  name: `uvicorn, ${count(workers)}`,
  needs: venv("uvicorn"),
  command: (port) => [
    venv("uvicorn"),
    ...["--port", String(port), "--workers", String(workers), "--app-dir", APPS, "--lifespan", "auto"],
    ...["--loop", "uvloop", "--http", "httptools", "--ws", "websockets"],
    ...["--no-access-log", "--log-level", "critical", `${app}:app`],
  ],
});

const granian = (app, workers) => ({
  name: `Granian, ${count(workers)}`,
  needs: venv("granian"),
  command: (port) => [
    venv("granian"),
    ...["--interface", "asgi", "--port", String(port), "--workers", String(workers), "--loop", "uvloop"],
    ...["--working-dir", APPS, "--no-log", `${app}:app`],
  ],
});

/** An application and a server in front of it; see stack.mjs. */
const stack = (name, what, ...programs) => ({
  name: what,
  needs: programs.find((program) => !which(program)),
  command: (port) => [
    process.execPath,
    fileURLToPath(new URL("stack.mjs", import.meta.url)),
    name,
    String(port),
  ],
});

/** A fetch handler of bench/apps, served by us. */
const fetchApp = (app, name) => ({
  name,
  command: (port) => [
    process.execPath,
    `${ROOT}bin/sallyport.js`,
    ...["serve", `${APPS}/${app}`, "--port", String(port), "--access-log", "off", "--log-level", "error"],
  ],
});

/** The same handler on node:http; `global` is whether Response may be replaced, which is what it does when not told. */
const honoServer = (app, name, global) => ({
  name,
  command: (port) => [process.execPath, `${APPS}/hono_server.mjs`, app, String(port), global],
});

const count = (processes) => (processes === 1 ? "1 process" : `${processes} processes`);

/** Our own command line, as a user would start it, with the frameworks' Python. */
export const serve = (app, port, ...options) => [
  process.execPath,
  `${ROOT}bin/sallyport.js`,
  ...["serve", app, "--chdir", APPS, "--python", venv("python"), "--port", String(port)],
  ...["--access-log", "off", "--log-level", "error", ...options],
];

/** Debian's, which mod_wsgi has inside, too. */
const SYSTEM_PYTHON = "/usr/bin/python3";

/** Python inside the server processes. */
const embedded = (app, fronts, python = venv("python")) => ({
  name: `sallyport embedded, ${fronts === 1 ? "1 front" : `${fronts} fronts`}`,
  needs: python,
  command: (port) => [
    process.execPath,
    `${ROOT}bin/sallyport.js`,
    ...["serve", `${app}:app`, "--chdir", APPS, "--python", python, "--port", String(port)],
    ...["--embedded", "--fronts", String(fronts), "--access-log", "off", "--log-level", "error"],
  ],
});

/** All of a contender's processes on one processor. */
const onOneCore = ({ name, needs, command }) => ({
  name: `${name}, one core`,
  needs: which("taskset") ? needs : "taskset",
  command: (port) => ["taskset", "--cpu-list", "0", ...command(port)],
});

const modWsgi = () => {
  const contender = stack("mod-wsgi", "Apache mod_wsgi embedded, 2 processes", "apache2");
  return { ...contender, needs: contender.needs ?? "/usr/lib/apache2/modules/mod_wsgi.so" };
};

/** The first contender is ours; a peer's `atLeast` is the ratio ours has to reach over it. */
export const COMPARISONS = [
  {
    name: "WSGI hello, one process",
    contenders: [
      sallyport("hello", 1),
      { ...gunicorn("hello", 1), atLeast: 3 },
      { ...uwsgi("hello", 1), atLeast: 1 },
    ],
  },
  {
    name: "WSGI hello, two processes",
    contenders: [sallyport("hello", 2), gunicorn("hello", 2), uwsgi("hello", 2)],
  },
  {
    name: "Flask hello, one process",
    contenders: [
      sallyport("flask_hello", 1),
      { ...gunicorn("flask_hello", 1), atLeast: 1.5 },
      uwsgi("flask_hello", 1),
    ],
  },
  {
    name: "Flask hello, two processes",
    contenders: [
      sallyport("flask_hello", 2),
      { ...gunicorn("flask_hello", 2), atLeast: 1.5 },
      uwsgi("flask_hello", 2),
    ],
  },
  {
    name: "ASGI hello, one process",
    contenders: [
      sallyport("asgi_hello", 1),
      { ...uvicorn("asgi_hello", 1), atLeast: 1 },
      granian("asgi_hello", 1),
    ],
  },
  {
    name: "FastAPI hello, two processes",
    contenders: [
      sallyport("fastapi_hello", 2),
      { ...uvicorn("fastapi_hello", 2), atLeast: 1.3 },
      granian("fastapi_hello", 2),
    ],
  },
  {
    name: "WebSocket echo, 1,000 clients",
    load: echoes,
    unit: "messages/s",
    contenders: [
      sallyport("asgi_hello", 1),
      { ...uvicorn("asgi_hello", 1), atLeast: 1 },
      granian("asgi_hello", 1),
    ],
  },
  {
    name: "WSGI hello embedded, one core",
    contenders: [
      onOneCore(embedded("hello", 1)),
      {
        ...onOneCore({ ...sallyport("hello", 1), name: "sallyport daemon, front and worker" }),
        atLeast: 1.2,
      },
    ],
  },
  {
    name: "WSGI hello embedded, two cores",
    contenders: [embedded("hello", 2, SYSTEM_PYTHON), { ...modWsgi(), atLeast: 2 }],
  },
  {
    name: "Flask hello embedded, two fronts",
    contenders: [embedded("flask_hello", 2), { ...gunicorn("flask_hello", 2), atLeast: 1.5 }],
  },
  {
    name: "fetch hello, Hono",
    contenders: [
      fetchApp("hono_quick.mjs", "sallyport, useQuickResponses()"),
      { ...honoServer("hono_hello.mjs", "@hono/node-server", "replace"), atLeast: 1 },
    ],
  },
  {
    name: "fetch hello, Hono, no global replaced",
    contenders: [
      fetchApp("hono_hello.mjs", "sallyport"),
      { ...honoServer("hono_hello.mjs", "@hono/node-server, overrideGlobalObjects off", "keep"), atLeast: 1 },
    ],
  },
  {
    name: "PHP-FPM hello, kept connections",
    contenders: [
      stack("php-sallyport", "sallyport", "php-cgi"),
      { ...stack("php-nginx", "nginx, one worker", "nginx", "php-cgi"), atLeast: 0.8 },
    ],
  },
  {
    name: "TypeScript hello behind nginx",
    contenders: [
      stack("node-fastcgi", "sallyport by fastcgi_pass", "nginx"),
      { ...stack("node-http", "node:http by proxy_pass", "nginx"), atLeast: 1 },
    ],
  },
];
