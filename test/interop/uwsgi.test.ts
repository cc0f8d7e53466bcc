// uWSGI behind our gateways, over each of the protocols that it listens for: uwsgi, SCGI, FastCGI.
import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import type { Gateway, Log } from "../../src/exchange/index.ts";
import { fastcgi } from "../../src/protocols/fastcgi/index.ts";
import { scgi } from "../../src/protocols/scgi/index.ts";
import { uwsgi } from "../../src/protocols/uwsgi/index.ts";
import type { Capability } from "../../src/testing/index.ts";
import { textOf } from "../kit/keep-log.ts";
import { findProgram, missing } from "../kit/needs.ts";
import { type Peer, path, startPeer } from "./peer.ts";
import { type Mounted, serveMounted } from "./serve-mounted.ts";
import { type Exception, LIKE_CGI, testBehind } from "./test-behind.ts";

const GATEWAYS: Readonly<
  Record<string, readonly [port: number, open: (address: string, log: Log) => Gateway]>
> = {
  uwsgi: [8080, (address, log) => uwsgi({ address, log })],
  SCGI: [8081, (address, log) => scgi({ address, log })],
  FastCGI: [
    8082,
    (
      address,
      log, // It closes every connection, whatever it is asked, and may do so under the next request.
    ) => fastcgi({ address, keep: false, log }),
  ],
};

const LACKS: readonly Capability[] = [
  ...LIKE_CGI,
  "checksFields",
  "streamsUpload",
  "tellsLeaving",
  "holdsBack",
];
const EXCEPT: readonly Exception[] = [
  [/visibly|never looks complete/, "an exception in the application looks like the end of its response"],
  [
    /unread (?:chunked )?body/,
    "an application must read its body: otherwise the connection is reset under the answer",
  ],
];

describe("uWSGI", { skip: missing("uwsgi") }, () => {
  let peer: Peer;
  before(async () => {
    peer = await startPeer({
      config: "uwsgi/uwsgi.ini",
      command: (config) => [findProgram("uwsgi") as string, "--ini", config],
      places: { "/srv/app": path("../apps/conformance") },
    });
  });
  after(() => peer?.stop());

  for (const [name, [port, open]] of Object.entries(GATEWAYS))
    describe(name, () => {
      let served: Mounted;
      before(async () => {
        served = await serveMounted((log) => open(peer.url(port).slice("http://".length), log));
      });
      after(async () => {
        await served?.close();
        assert.deepEqual(served?.violations, []);
      });

      testBehind(name, {
        url: () => served.url,
        logs: async () => `${served.lines.map(textOf).join("\n")}\n${await peer.logs()}`,
        lacks: LACKS,
        except: EXCEPT,
      });
    });
});
