// Our listeners behind lighttpd: mod_fastcgi, mod_scgi with both of its protocols; and started by it: mod_fastcgi, mod_cgi.
import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import type { Capability } from "../../src/testing/index.ts";
import { missing } from "../kit/needs.ts";
import { type Peer, path, startPeer } from "./peer.ts";
import {
  fetchApplication,
  nodeApplication,
  portOf,
  type StartedListener,
  startListener,
} from "./start-listener.ts";
import { type Exception, LIKE_CGI, testBehind, type Way } from "./test-behind.ts";

const LACKS: readonly Capability[] = [
  ...LIKE_CGI,
  "anyMethod",
  "anyPath",
  "asterisk",
  "bodyOnGet",
  "exactReason",
  "halfClose",
  "streamsUpload",
  "tellsLeaving",
  "traceMethod",
];
const EXCEPT: readonly Exception[] = [
  [/^the method (POST|M-SEARCH|PURGE)/, "a POST must have a length, and a method be one that it knows"],
  [/^empty segments/, "merged"],
  [/^an escaped (line break|byte 0)/, "control characters of a path become underscores"],
  [/header may be empty/, "dropped"],
  [/^an underscore/, "both become one variable; over SCGI that is refused with 400"],
  [
    /^an application that fails (after its head|before its first piece)/,
    "what came at once with the cut passes for whole",
  ],
];
const AS_CGI: readonly Exception[] = [
  ...EXCEPT,
  [/^a path of 5000/, "looked up in the file system"],
  [/visibly|never looks complete/, "how a program ended is not looked at"],
  [/left|leaves/, "a program is ended when its client has left"],
];

describe("behind lighttpd", { skip: missing("lighttpd") }, () => {
  let node: StartedListener;
  let fetched: StartedListener;
  let uwsgi: StartedListener;
  let peer: Peer;

  before(async () => {
    node = await startListener("fastcgi", nodeApplication());
    fetched = await startListener("scgi", fetchApplication());
    uwsgi = await startListener("uwsgi", nodeApplication());
    peer = await startPeer({
      config: "lighttpd/lighttpd.conf",
      places: { "9001": portOf(node), "9002": portOf(fetched), "9003": portOf(uwsgi) },
      command: (config) => ["lighttpd", "-D", "-f", config],
      programs: { "app.fcgi": path("programs/reference.mjs"), "app.cgi": path("programs/reference.mjs") },
    });
  });
  after(async () => {
    await peer?.stop();
    for (const one of [node, fetched, uwsgi]) await one?.close();
    for (const one of [node, fetched, uwsgi]) assert.deepEqual(one?.violations, []);
  });

  const way = (port: number, except: readonly Exception[] = EXCEPT): Way => ({
    url: () => peer.url(port),
    logs: () => peer.logs(),
    lacks: LACKS,
    except,
  });

  testBehind("mod_fastcgi, a node handler", way(8080));
  testBehind("mod_scgi, a fetch handler", way(8082));
  testBehind("mod_scgi with the uwsgi protocol, a node handler", way(8083));
  testBehind("started by mod_fastcgi", way(8084));
  testBehind("started by mod_cgi", { ...way(8085, AS_CGI), slow: true });
});
