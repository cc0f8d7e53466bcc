// What is measured against what, with which settings, and which ratio we owe. Every contender answers GET / on `port`.
import { fileURLToPath } from "node:url";
import { which } from "../scripts/setup/programs.mjs";
import { ROOT } from "../scripts/setup/setup.mjs";

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

const count = (processes) => (processes === 1 ? "1 process" : `${processes} processes`);

/** Our own command line, as a user would start it, with the frameworks' Python. */
export const serve = (app, port, ...options) => [
  process.execPath,
  `${ROOT}bin/sallyport.js`,
  ...["serve", app, "--chdir", APPS, "--python", venv("python"), "--port", String(port)],
  ...["--access-log", "off", "--log-level", "error", ...options],
];

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
