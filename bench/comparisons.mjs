// What is measured against what, and which ratios we owe. The first contender is ours. What stands beside a peer is what
// ours has to reach over it: `rate` (requests a second, at least), `cpu` (microseconds a request of all processes, at most),
// `cpuEach` (of the server and of the worker, each, at most), `p99` (at most).
import {
  behindNginx,
  bjoern,
  embedded,
  fastpysgi,
  granian,
  gunicorn,
  handler,
  honoServer,
  httpBehindNginx,
  hypercorn,
  modWsgi,
  nodeHttp,
  onOneCore,
  phpNginx,
  phpNginxKept,
  phpSallyport,
  SYSTEM_PYTHON,
  sallyport,
  spike,
  spikeEmbedded,
  uvicorn,
  uwsgi,
  uwsgiRouter,
  watched,
} from "./contenders.mjs";
import { atHalfRate, echoes, findMost } from "./load.mjs";

const HELLO = { size: 13 };
const TEN_KILOBYTES = { size: 10_240 };
const TEN_PIECES = { size: 102_400 };
const POST_1K = { upload: 1024, size: 4 };
const POST_64K = { upload: 65_536, size: 5 };
const SLEEP = { size: 5 };
/** Of each contender's own maximum. */
const AT_HALF_RATE = { size: 13, prepare: findMost, load: atHalfRate };
const ECHO = { load: echoes, unprobed: true };

const WSGI = "hello:app";
const ASGI = "asgi_hello:app";
const FLASK = "flask_hello:app";

const against = (contender, target) => ({ ...contender, target });

/** What the chart in the README shows: where we lose as where we win. */
export const CHARTED = [
  "WSGI hello, 1 process",
  "WSGI hello embedded, 2 server processes",
  "WSGI POST 1 KB, 1 process",
  "Flask hello, 2 processes",
  "Django hello, 2 processes",
  "ASGI hello, 1 process",
  "FastAPI hello, 2 processes",
  "app that sleeps 10 ms, ASGI, 256 connections",
];

/** Until the first answer: ours has to need at most so many milliseconds. */
export const STARTS = {
  name: "start to the first answer, WSGI hello",
  milliseconds: 250,
  contenders: [
    sallyport(WSGI, 1),
    embedded(WSGI, 1),
    spike(WSGI, 1),
    granian("wsgi", WSGI, 1),
    bjoern(WSGI),
    fastpysgi(WSGI, 1),
    gunicorn("gthread", WSGI, 1),
    uwsgi(WSGI, 1),
  ],
};

export const COMPARISONS = [
  {
    name: "WSGI hello, 1 process",
    work: HELLO,
    /** Of the server, on each Node. */
    serverMemory: 110e6,
    contenders: [
      sallyport(WSGI, 1),
      against(spike(WSGI, 1), { rate: 0.95, cpuEach: 1.15 }),
      against(granian("wsgi", WSGI, 1), { rate: 1.2 }),
      against(bjoern(WSGI), { rate: 0.6 }),
      fastpysgi(WSGI, 1),
      against(gunicorn("sync", WSGI, 1), { rate: 3 }),
      gunicorn("gthread", WSGI, 1),
      uwsgi(WSGI, 1),
      against(uwsgiRouter(WSGI, 1), { rate: 1 }),
    ],
  },
  {
    name: "WSGI hello, 1 process, 1 connection",
    work: HELLO,
    connections: 1,
    contenders: [sallyport(WSGI, 1), spike(WSGI, 1), granian("wsgi", WSGI, 1), bjoern(WSGI), uwsgi(WSGI, 1)],
  },
  {
    name: "WSGI hello, 1 process, 256 connections",
    work: HELLO,
    connections: 256,
    contenders: [sallyport(WSGI, 1), spike(WSGI, 1), granian("wsgi", WSGI, 1), bjoern(WSGI)],
  },
  {
    name: "WSGI hello, 2 processes",
    work: HELLO,
    contenders: [
      sallyport(WSGI, 2),
      spike(WSGI, 2),
      granian("wsgi", WSGI, 2),
      bjoern(WSGI, 2),
      gunicorn("gthread", WSGI, 2),
      uwsgiRouter(WSGI, 2),
    ],
  },
  ...[
    ["WSGI hello", WSGI],
    ["ASGI hello", ASGI],
  ].map(([work, app]) => ({
    name: `${work}, with metrics`,
    work: HELLO,
    contenders: [watched(sallyport(app, 1)), against(sallyport(app, 1), { rate: 0.97 })],
  })),
  {
    name: "WSGI hello embedded, 1 server process",
    work: HELLO,
    contenders: [
      embedded(WSGI, 1),
      against(spikeEmbedded(WSGI), { cpu: 1.1 }),
      against(granian("wsgi", WSGI, 1), { rate: 1 }),
      bjoern(WSGI),
    ],
  },
  {
    name: "WSGI hello embedded, 2 server processes",
    work: HELLO,
    contenders: [embedded(WSGI, 2), against(granian("wsgi", WSGI, 2), { rate: 1.4 })],
  },
  {
    name: "WSGI hello embedded, 2 server processes, Debian's Python",
    work: HELLO,
    contenders: [embedded(WSGI, 2, SYSTEM_PYTHON), against(modWsgi(), { rate: 2 })],
  },
  {
    name: "WSGI hello embedded, one core",
    work: HELLO,
    contenders: [onOneCore(embedded(WSGI, 1)), against(onOneCore(sallyport(WSGI, 1)), { rate: 1.2 })],
  },
  {
    name: "WSGI 10 KB, 1 process",
    work: TEN_KILOBYTES,
    contenders: works("wsgi_works:ten_kilobytes", { rate: 1 }),
  },
  {
    name: "WSGI 100 KB in 10 pieces, 1 process",
    work: TEN_PIECES,
    contenders: works("wsgi_works:ten_pieces"),
  },
  {
    name: "WSGI POST 1 KB, 1 process",
    work: POST_1K,
    contenders: works("wsgi_works:count_body", { rate: 1.1 }),
  },
  {
    name: "WSGI POST 64 KB, 1 process",
    work: POST_64K,
    contenders: works("wsgi_works:count_body"),
  },
  {
    name: "Flask hello, 1 process",
    work: HELLO,
    contenders: [
      sallyport(FLASK, 1),
      spike(FLASK, 1),
      granian("wsgi", FLASK, 1),
      against(bjoern(FLASK), { cpu: 1.2 }),
      against(gunicorn("sync", FLASK, 1), { rate: 1.5 }),
      uwsgiRouter(FLASK, 1),
    ],
  },
  {
    name: "Flask hello, 2 processes",
    work: HELLO,
    contenders: [
      sallyport(FLASK, 2),
      spike(FLASK, 2),
      against(granian("wsgi", FLASK, 2), { rate: 1.4 }),
      against(gunicorn("sync", FLASK, 2), { rate: 2 }),
      against(gunicorn("gthread", FLASK, 2), { rate: 2 }),
      against(bjoern(FLASK), { cpu: 1.2 }),
      bjoern(FLASK, 2),
    ],
  },
  {
    name: "Flask hello embedded, 2 server processes",
    work: HELLO,
    contenders: [
      embedded(FLASK, 2),
      against(granian("wsgi", FLASK, 2), { rate: 1.5 }),
      gunicorn("sync", FLASK, 2),
    ],
  },
  {
    name: "Django hello, 2 processes",
    work: HELLO,
    contenders: [
      sallyport("django_hello:app", 2),
      against(granian("wsgi", "django_hello:app", 2), { rate: 1.2 }),
      gunicorn("sync", "django_hello:app", 2),
      gunicorn("gthread", "django_hello:app", 2),
    ],
  },
  {
    name: "ASGI hello, 1 process",
    work: HELLO,
    contenders: [
      sallyport(ASGI, 1),
      against(granian("asgi", ASGI, 1), { rate: 1.05, cpu: 1 }),
      against(uvicorn(ASGI, 1), { rate: 1.5 }),
      fastpysgi(ASGI, 1),
      gunicorn("asgi", ASGI, 1),
      hypercorn(ASGI, 1),
    ],
  },
  {
    name: "ASGI hello, 1 process, 1 connection",
    work: HELLO,
    connections: 1,
    contenders: [sallyport(ASGI, 1), granian("asgi", ASGI, 1), uvicorn(ASGI, 1)],
  },
  {
    name: "ASGI hello, 1 process, 256 connections",
    work: HELLO,
    connections: 256,
    contenders: [sallyport(ASGI, 1), granian("asgi", ASGI, 1), uvicorn(ASGI, 1)],
  },
  {
    name: "ASGI hello, 2 processes",
    work: HELLO,
    contenders: [
      sallyport(ASGI, 2),
      against(granian("asgi", ASGI, 2), { rate: 1.05 }),
      against(uvicorn(ASGI, 2), { rate: 1.15 }),
    ],
  },
  {
    name: "ASGI hello, 2 server processes",
    work: HELLO,
    contenders: [
      sallyport(ASGI, 1, { serverProcesses: 2 }),
      against(granian("asgi", ASGI, 2), { rate: 1.05 }),
      against(uvicorn(ASGI, 2), { rate: 1.15 }),
    ],
  },
  {
    name: "ASGI POST 1 KB, 1 process",
    work: POST_1K,
    contenders: [
      sallyport("asgi_works:count_body", 1),
      against(granian("asgi", "asgi_works:count_body", 1), { rate: 1.1 }),
      against(uvicorn("asgi_works:count_body", 1), { rate: 1.1 }),
    ],
  },
  {
    name: "FastAPI hello, 2 processes",
    work: { size: 17 },
    contenders: [
      sallyport("fastapi_hello:app", 2),
      against(granian("asgi", "fastapi_hello:app", 2), { rate: 1.05 }),
      against(uvicorn("fastapi_hello:app", 2), { rate: 1.1, cpu: 1 }),
      gunicorn("asgi", "fastapi_hello:app", 2),
    ],
  },
  {
    name: "app that sleeps 10 ms, ASGI, 256 connections",
    work: SLEEP,
    connections: 256,
    contenders: [
      sallyport("asgi_works:sleep", 1),
      against(granian("asgi", "asgi_works:sleep", 1), { rate: 1 }),
      against(uvicorn("asgi_works:sleep", 1), { rate: 1 }),
      against(gunicorn("asgi", "asgi_works:sleep", 1), { rate: 1 }),
    ],
  },
  {
    name: "app that sleeps 10 ms, WSGI, 256 threads and connections",
    work: SLEEP,
    connections: 256,
    contenders: [
      sallyport("wsgi_works:sleep", 1, { threads: 256 }),
      against(granian("wsgi", "wsgi_works:sleep", 1, { threads: 256 }), { rate: 1 }),
      against(gunicorn("gthread", "wsgi_works:sleep", 1, { threads: 256 }), { rate: 1 }),
    ],
  },
  {
    name: "WSGI hello at half of the maximum rate",
    work: AT_HALF_RATE,
    contenders: [
      sallyport(WSGI, 1),
      spike(WSGI, 1),
      against(granian("wsgi", WSGI, 1), { p99: 1.5 }),
      against(bjoern(WSGI), { p99: 1.5 }),
      against(gunicorn("gthread", WSGI, 1), { p99: 1.5 }),
    ],
  },
  {
    name: "ASGI hello at half of the maximum rate",
    work: AT_HALF_RATE,
    contenders: [
      sallyport(ASGI, 1),
      against(granian("asgi", ASGI, 1), { p99: 1.5 }),
      against(uvicorn(ASGI, 1), { p99: 1.5 }),
    ],
  },
  {
    name: "WebSocket echo, 1,000 clients",
    work: ECHO,
    unit: "messages/s",
    connections: 1000,
    contenders: [sallyport(ASGI, 1), against(uvicorn(ASGI, 1), { rate: 1 }), granian("asgi", ASGI, 1)],
  },
  {
    name: "fetch hello, Hono",
    work: { size: 14 },
    contenders: [
      handler("apps/hono_quick.mjs", "sallyport, globals replaced"),
      against(honoServer("hono_hello.mjs", "@hono/node-server", "replace"), { rate: 1 }),
    ],
  },
  {
    name: "fetch hello, Hono, no global replaced",
    work: { size: 14 },
    contenders: [
      handler("apps/hono_hello.mjs", "sallyport"),
      against(honoServer("hono_hello.mjs", "@hono/node-server, overrideGlobalObjects off", "keep"), {
        rate: 1,
      }),
    ],
  },
  {
    name: "node handler hello",
    work: HELLO,
    contenders: [handler("stacks/hello.mjs", "sallyport"), nodeHttp()],
  },
  {
    name: "PHP-FPM hello",
    work: HELLO,
    contenders: [phpSallyport(), against(phpNginx(), { rate: 0.8 }), against(phpNginxKept(), { rate: 0.8 })],
  },
  {
    name: "TypeScript hello behind nginx",
    work: HELLO,
    contenders: [behindNginx(), against(httpBehindNginx(), { rate: 1 })],
  },
];

/** One of the kinds of work that are not hello, of one process. */
function works(app, target) {
  return [
    sallyport(app, 1),
    against(granian("wsgi", app, 1), target),
    bjoern(app),
    gunicorn("gthread", app, 1),
  ];
}
