// The limits of time of every listener: one meaning of 0, in the configuration and in programs; and Infinity, which is none.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { SOCKET_LIMITS } from "../../src/cgi/socket/limits.ts";
import { OPTIONS } from "../../src/cli/options.ts";
import { checkConfig } from "../../src/config/errors.ts";
import { type Handler, type Listener, type SallyportError, silentLog } from "../../src/exchange/index.ts";
import { isTimeLimit, limitsOf } from "../../src/exchange/time-limits.ts";
import { HTTP_LIMITS } from "../../src/http/limits.ts";
import { toUpgradeHandler } from "../../src/mount/index.ts";
import { beginRequest, streamEnd, streamPiece, TYPE } from "../../src/protocols/fastcgi/codec.ts";
import { fastcgiListener } from "../../src/protocols/fastcgi/index.ts";
import { FASTCGI_LIMITS } from "../../src/protocols/fastcgi/limits.ts";
import { encodePairs } from "../../src/protocols/fastcgi/pairs.ts";
import { httpListener } from "../../src/protocols/http1/index.ts";
import { http2Listener } from "../../src/protocols/http2/index.ts";
import { HTTP2_LIMITS } from "../../src/protocols/http2/limits.ts";
import { encodeScgiRequest } from "../../src/protocols/scgi/codec.ts";
import { scgiListener } from "../../src/protocols/scgi/index.ts";
import { encodeUwsgiRequest } from "../../src/protocols/uwsgi/codec.ts";
import { uwsgiListener } from "../../src/protocols/uwsgi/index.ts";
import { WEBSOCKET_LIMITS } from "../../src/websocket/index.ts";
import { bodyText, head } from "../kit/handlers.ts";
import { data, END_STREAM, frame, PREFACE, post } from "../kit/http2-frames.ts";
import { TextConnection } from "../kit/raw-connection.ts";

const NONE = new Set(["bodyTimeout", "receiveTimeout", "sendTimeout", "pingInterval"]);

type Make = (options: object) => unknown;
const made = (make: (options: never) => unknown, key = "limits"): Make => {
  return (limits) => make({ handler() {}, log: silentLog, [key]: limits } as never);
};
const listening = { http1: made(httpListener), http2: made(http2Listener), scgi: made(scgiListener) };
const others = { uwsgi: made(uwsgiListener), fastcgi: made(fastcgiListener) };
const webSockets: Make[] = [
  made(httpListener, "websocket"),
  made(http2Listener, "websocket"),
  (limits) => toUpgradeHandler({ handle() {} }, { limits }),
];

/** A section of the configuration, the limits of time that it has, and what takes the same ones in a program. */
const TABLE: readonly [section: string | undefined, limits: object, takers: readonly Make[]][] = [
  [undefined, HTTP_LIMITS, [listening.http1, listening.http2]],
  ["websocket", WEBSOCKET_LIMITS, webSockets],
  ["fastcgi", FASTCGI_LIMITS, [others.fastcgi]],
  ["scgi", SOCKET_LIMITS, [listening.scgi]],
  ["uwsgi", SOCKET_LIMITS, [others.uwsgi]],
];
const CASES = TABLE.flatMap(([section, limits, takers]) =>
  Object.keys(limits)
    .filter(isTimeLimit)
    .map((name) => ({ section, name, takers, none: NONE.has(name) })),
);

function problemOf(act: () => unknown): string {
  try {
    act();
    return "";
  } catch (error) {
    return `${(error as SallyportError).message} ${(error as SallyportError).detail ?? ""}`;
  }
}

test("a limit of time may be 0 where that means none, and is refused elsewhere, with the same words on all protocols", () => {
  for (const { section, name, takers, none } of CASES) {
    const limits = section === undefined ? { [name]: 0 } : { [section]: { [name]: 0 } };
    const configured = problemOf(() => checkConfig({ apps: { a: { wsgi: "x" } }, limits }));
    assert.match(configured, none ? /^$/ : /must be a time such as 30 .* and more than 0, not 0/, name);
    for (const take of takers) {
      const problem = problemOf(() => take({ [name]: 0 }));
      assert.match(problem, none ? /^$/ : new RegExp(`${name} must be a number of milliseconds more than 0`));
      assert.equal(
        problemOf(() => take({ [name]: Number.POSITIVE_INFINITY })),
        "",
      );
      assert.match(
        problemOf(() => take({ [name]: Number.NaN })),
        /must be a number of milliseconds .*, not NaN/,
      );
    }
  }
  assert.equal(CASES.length, 26);
});

test("the command line refuses the same zeros", () => {
  for (const name of Object.keys(HTTP_LIMITS).filter(isTimeLimit)) {
    const flag = name.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`) as "head-timeout";
    assert.equal(OPTIONS[flag].read("0"), NONE.has(name) ? 0 : undefined, flag);
    assert.equal(OPTIONS[flag].read("1ms"), 1);
  }
});

test("the limit of a TLS handshake is more than 0", () => {
  const listen = { address: "8443", tls: { cert: "c", key: "k", handshakeTimeout: 0 } };
  assert.match(
    problemOf(() => checkConfig({ apps: { a: { wsgi: "x" } }, listen: [listen] })),
    /handshakeTimeout.*more than 0/,
  );
});

test("no other 0 becomes Infinity", () => {
  const limits = { sendTimeout: 0, bodyTimeout: 1, unsent: 0, lingerTimeout: 0 };
  assert.deepEqual(limitsOf(HTTP_LIMITS, limits), {
    ...HTTP_LIMITS,
    ...limits,
    sendTimeout: Number.POSITIVE_INFINITY,
  });
});

test("a limit that is given as undefined is not given: its usual value holds", () => {
  const { http1, http2, scgi } = listening;
  for (const [taker, usual] of [
    [http1, HTTP_LIMITS],
    [http2, HTTP2_LIMITS],
    [scgi, SOCKET_LIMITS],
    [others.uwsgi, SOCKET_LIMITS],
    [others.fastcgi, FASTCGI_LIMITS],
  ] as const) {
    const nothing = Object.fromEntries(Object.keys(usual).map((name) => [name, undefined]));
    assert.deepEqual((taker(nothing) as { limits: object }).limits, limitsOf(usual));
  }
});

const echo: Handler = async (exchange) => exchange.respond(head(), await bodyText(exchange));
const VARIABLES = new Map(
  Object.entries({
    REQUEST_METHOD: "POST",
    SERVER_PROTOCOL: "HTTP/1.1",
    SERVER_NAME: "a",
    SERVER_PORT: "80",
    SCRIPT_NAME: "",
    PATH_INFO: "/",
    CONTENT_LENGTH: "8",
  }),
);
const params = encodePairs([...VARIABLES].flat());
const stdin = (text: string) => streamPiece(TYPE.STDIN, 1, Buffer.from(text));

interface Protocol {
  readonly make: (options: never) => Listener;
  /** A request up to the middle of its body, "half"; and the rest, "done". */
  readonly half: readonly (string | Uint8Array)[];
  readonly rest: readonly (string | Uint8Array)[];
}

const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  "HTTP/1.1": {
    make: httpListener,
    half: ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf"],
    rest: ["done"],
  },
  "HTTP/2": {
    make: http2Listener,
    half: [PREFACE, frame("SETTINGS", 0, 0), post(1), data(1, "half")],
    rest: [data(1, "done", END_STREAM)],
  },
  SCGI: { make: scgiListener, half: [encodeScgiRequest(VARIABLES, 8), "half"], rest: ["done"] },
  uwsgi: { make: uwsgiListener, half: [encodeUwsgiRequest(VARIABLES, 8), "half"], rest: ["done"] },
  FastCGI: {
    make: fastcgiListener,
    half: [
      beginRequest(1, "responder", false),
      streamPiece(TYPE.PARAMS, 1, params),
      streamEnd(TYPE.PARAMS, 1),
      stdin("half"),
    ],
    rest: [stdin("done"), streamEnd(TYPE.STDIN, 1)],
  },
};

async function listen(t: TestContext, listener: Listener): Promise<() => Promise<TextConnection>> {
  const server = createServer({ allowHalfOpen: true }, (socket) => listener.accept(socket));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  t.after(async () => {
    server.close();
    await listener.close(0);
  });
  return async () => {
    const client = await TextConnection.open({ port, host: "127.0.0.1" });
    t.after(() => client.socket.destroy());
    return client;
  };
}

for (const [name, { make, half, rest }] of Object.entries(PROTOCOLS))
  for (const none of [0, Number.POSITIVE_INFINITY])
    test(`${name}: without a limit (${none}), a body may stand still, while other limits hold`, async (t) => {
      // For silent connections, FastCGI has the one, the others the other.
      const endless = name === "FastCGI" ? { receiveTimeout: none } : { bodyTimeout: none };
      const silence = name === "FastCGI" ? { idleTimeout: 100 } : { headTimeout: 100 };
      const limits = { ...endless, ...silence, sendTimeout: none };
      const open = await listen(t, make({ handler: echo, log: silentLog, limits } as never));
      const slow = (await open()).send(...half);
      const silent = await open();
      await silent.all();
      slow.send(...rest);
      assert.match(await slow.has("done"), /halfdone/);
    });
