// Our listeners behind Apache httpd: mod_proxy_fcgi, mod_proxy_scgi, mod_proxy_uwsgi; and started by it: mod_fcgid, mod_cgid.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
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

const MODULES = "/usr/lib/apache2/modules";

/** It learns that a client has left only when it writes to it. */
const LACKS: readonly Capability[] = [
  ...LIKE_CGI,
  "anyMethod",
  "anyPath",
  "asterisk",
  "halfClose",
  "tellsLeaving",
  "traceMethod",
];
const EXCEPT: readonly Exception[] = [
  [/^an escaped byte 0/, "404 of its own"],
  [/^repeated cookies/, "joined by commas, like any other field"],
  [/^each status [45]xx/, "its connection is closed after some of them"],
  [/^an application that fails before its first piece/, "503"],
];
const NO_CHUNKS: readonly Exception[] = [
  ...EXCEPT,
  [
    /chunk|looks like a request|^trailers do not/,
    "mod_proxy_scgi and mod_proxy_uwsgi refuse chunked uploads with 411",
  ],
  [/^an application that fails after its head/, "500, cut"],
];
const STARTED: readonly Exception[] = [
  ...EXCEPT,
  [
    /^empty segments|escaped slash|^a path of 5000/,
    "below ScriptAlias a path is looked up in the file system",
  ],
  [
    /1048576 bytes.* arrives|unread (?:chunked )?body/,
    "all of a request is handed over before anything is read",
  ],
  [/visibly|never looks complete/, "an error page is put after what there is, or nothing"],
];
const AS_CGI: readonly Exception[] = [
  ...STARTED,
  [/left|leaves/, "a program is ended when its client has left"],
];

describe("behind Apache httpd", { skip: skipped() }, () => {
  let node: StartedListener;
  let fetched: StartedListener;
  let uwsgi: StartedListener;
  let peer: Peer;

  before(async () => {
    node = await startListener("fastcgi", nodeApplication());
    fetched = await startListener("scgi", fetchApplication());
    uwsgi = await startListener("uwsgi", nodeApplication());
    peer = await startPeer({
      config: "apache/httpd.conf",
      places: { "9001": portOf(node), "9002": portOf(fetched), "9003": portOf(uwsgi) },
      command: (config) => ["apache2", "-f", config, "-DFOREGROUND"],
      programs: { "app.fcgi": path("programs/reference.mjs"), "app.cgi": path("programs/reference.mjs") },
    });
  });
  after(async () => {
    await peer?.stop();
    for (const one of [node, fetched, uwsgi]) await one?.close();
    for (const one of [node, fetched, uwsgi]) assert.deepEqual(one?.violations, []);
  });

  const way = (port: number, except: readonly Exception[], ...lacks: Capability[]): Way => ({
    url: () => peer.url(port),
    logs: () => peer.logs(),
    lacks: [...LACKS, ...lacks],
    except,
  });

  const kept = way(8080, EXCEPT);
  testBehind("mod_proxy_fcgi with kept connections, a node handler", kept);
  testBehind("mod_proxy_fcgi, a node handler", way(8081, EXCEPT));
  testBehind("mod_proxy_scgi, a fetch handler", way(8082, NO_CHUNKS, "bodyOnGet"));
  testBehind("mod_proxy_uwsgi, a node handler", way(8083, NO_CHUNKS));
  testBehind("started by mod_fcgid", way(8084, STARTED, "streamsUpload", "holdsBack"));
  testBehind("started by mod_cgid", { ...way(8085, AS_CGI, "streamsUpload", "holdsBack"), slow: true });

  test("kept connections are kept: requests in turn need at most one more", async () => {
    const { accepted } = node;
    await pass(kept, [again(IN_TURN)]);
    assert.ok(node.accepted - accepted <= 1, `${node.accepted - accepted} connections`);
  });
});

const again = (times: number): Case => {
  const step = {
    request: {},
    app: { kind: "answer", body: "x" },
    expected: { status: 200, body: "x" },
  } as const;
  return { name: "again", ...step, next: Array(times - 1).fill(step) };
};

function skipped(): string | false {
  const absent = missing("apache2");
  if (absent) return absent;
  return existsSync(`${MODULES}/mod_fcgid.so`) ? false : missing("mod_fcgid");
}
