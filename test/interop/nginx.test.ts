// Our listeners behind nginx: fastcgi_pass with and without kept connections, scgi_pass, uwsgi_pass.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { wsgi } from "../../src/protocols/wsgi/index.ts";
import type { Capability, Case } from "../../src/testing/index.ts";
import { missing } from "../kit/needs.ts";
import { type Peer, path, startPeer } from "./peer.ts";
import {
  fetchApplication,
  nodeApplication,
  portOf,
  type StartedListener,
  startListener,
} from "./start-listener.ts";
import { type Exception, IN_TURN, LIKE_CGI, pass, testBehind, type Way } from "./test-behind.ts";

/** Dot segments are resolved, methods and `*` refused; a client that ends its side counts as gone. */
const LACKS: readonly Capability[] = [
  ...LIKE_CGI,
  "anyMethod",
  "anyPath",
  "asterisk",
  "halfClose",
  "traceMethod",
];
const EXCEPT: readonly Exception[] = [
  [
    /^the host is the one/,
    "Debian's fastcgi_params, scgi_params and uwsgi_params say $host, without the port",
  ],
  [
    /^an application that fails (after its head|before its first piece)/,
    "what came at once with the cut is dropped: the client's connection is closed without any answer",
  ],
];

const CUT: Case = {
  name: "a response that breaks off never looks complete",
  request: { target: "/mounted/x" },
  app: { kind: "stream", pieces: [{ size: 100_000 }], ending: "fail" },
  // Before nginx has the head, a failure can still be said.
  expected: [{ status: [500, 502] }, { complete: false }],
};

describe("behind nginx", { skip: missing("nginx") }, () => {
  let node: StartedListener;
  let fetched: StartedListener;
  let python: StartedListener;
  let peer: Peer;

  before(async () => {
    node = await startListener("fastcgi", nodeApplication());
    fetched = await startListener("scgi", fetchApplication());
    python = await startListener("uwsgi", wsgi("app", { chdir: path("../apps/conformance"), threads: 8 }));
    peer = await startPeer({
      config: "nginx/nginx.conf",
      places: { "9001": portOf(node), "9002": portOf(fetched), "9003": portOf(python) },
      command: (config, folder) => ["nginx", "-p", folder, "-c", config, "-g", "daemon off;"],
    });
  });
  after(async () => {
    await peer?.stop();
    for (const one of [node, fetched, python]) await one?.close();
    for (const one of [node, fetched, python]) assert.deepEqual(one?.violations, []);
  });

  const way = (port: number, ...lacks: Capability[]): Way => ({
    url: () => peer.url(port),
    logs: () => peer.logs(),
    lacks: [...LACKS, ...lacks],
    except: EXCEPT,
  });

  const kept = way(8080);
  const anew = way(8081);
  testBehind("fastcgi_pass with kept connections, a node handler", kept);
  testBehind("fastcgi_pass, a node handler", anew);
  testBehind("scgi_pass, a fetch handler", way(8082, "bodyOnGet", "streamsUpload"));
  testBehind("uwsgi_pass, a WSGI application", way(8083, "streamsUpload", "tellsLeaving", "holdsBack"));

  test("kept connections are kept: requests in turn need at most one more", async () => {
    const { accepted } = node;
    await pass(kept, [again(IN_TURN)]);
    assert.ok(node.accepted - accepted <= 1, `${node.accepted - accepted} connections`);
  });

  test("connections that are not kept are closed by us", async () => {
    const { accepted } = node;
    await pass(anew, [again(20)]);
    assert.equal(node.accepted - accepted, 20);
  });

  for (const port of [8080, 8081, 8082, 8083])
    test(`a response that breaks off behind nginx's buffers never looks complete (${port})`, () =>
      pass(way(port), [CUT]));
});

const again = (times: number): Case => {
  const step = {
    request: {},
    app: { kind: "answer", body: "x" },
    expected: { status: 200, body: "x" },
  } as const;
  return { name: "again", ...step, next: Array(times - 1).fill(step) };
};
