// Our FastCGI listener behind Caddy's reverse_proxy with its fastcgi transport.
import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { missing } from "../kit/needs.ts";
import { type Peer, startPeer } from "./peer.ts";
import { nodeApplication, portOf, type StartedListener, startListener } from "./start-listener.ts";
import { LIKE_CGI, testBehind } from "./test-behind.ts";

describe("behind Caddy", { skip: missing("caddy") }, () => {
  let node: StartedListener;
  let peer: Peer;

  before(async () => {
    node = await startListener("fastcgi", nodeApplication());
    peer = await startPeer({
      config: "caddy/Caddyfile",
      places: { "9001": portOf(node) },
      command: (config) => ["caddy", "run", "--adapter", "caddyfile", "--config", config],
    });
  });
  after(async () => {
    await peer?.stop();
    await node?.close();
    assert.deepEqual(node?.violations, []);
  });

  testBehind("a fastcgi transport, a node handler", {
    url: () => peer.url(),
    logs: () => peer.logs(),
    lacks: [
      ...LIKE_CGI,
      "anyMethod",
      "anyPath",
      "asterisk",
      "exactReason",
      "halfClose",
      "tellsLeaving",
      "traceMethod",
    ],
    except: [
      [/^repeated cookies/, "joined by commas, like any other field"],
      [/^an underscore/, "both become one variable, and the last one counts"],
      [/^the client's address/, "X-Forwarded-For says what it knows itself"],
      [
        /^an application that fails (in the middle of its body|after its head|before its first piece)/,
        "a response without a length is ended as if it were whole; one with a length is cut visibly",
      ],
    ],
  });
});
