// The answers to uploads that are not over when the grace is, with clients that send on and read only then: to close at once would
// make the kernel reset the connection, and a client whose write fails reads no more (RFC 9112, 9.6).
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import type { Handler, Listener } from "../../src/exchange/index.ts";
import { beginRequest, streamPart, TYPE } from "../../src/protocols/fastcgi/codec.ts";
import { PROTOCOLS, startApplication, variables } from "../cgi/socket/start-halves.ts";
import { Authority } from "../kit/certificate-authority.ts";
import { head, outcomeOf, queue } from "../kit/handlers.ts";
import { TextConnection } from "../kit/raw-connection.ts";
import { serve } from "../kit/serve-http1.ts";
import { serveTls, trusting } from "../kit/serve-tls.ts";
import { params, serve as serveFastcgi } from "../protocols/fastcgi/serve-fastcgi.ts";

const PIECE = Buffer.alloc(32_000);
const PIECES = 100;
const LENGTH = String(PIECE.length * PIECES * 10);

const authority = new Authority();
const settings = authority.server("first", ["example.org"]);

interface Uploading {
  readonly listener: Listener;
  readonly client: Socket;
  /** What begins the request, and goes on with it. */
  readonly head: string | Uint8Array;
  readonly piece: Uint8Array;
}

type Start = (t: TestContext, handler: Handler) => Promise<Uploading>;

const POST = `POST / HTTP/1.1\r\nHost: example.org\r\nContent-Length: ${LENGTH}\r\n\r\n`;
const HALF_OPEN = { host: "127.0.0.1", allowHalfOpen: true };

const STARTS: Readonly<Record<string, Start>> = {
  "HTTP/1.1": async (t, handler) => {
    const { listener, port } = await serve(t, handler);
    return { listener, client: connect({ port, ...HALF_OPEN }), head: POST, piece: PIECE };
  },
  TLS: async (t, handler) => {
    const { listener, port } = await serveTls(t, handler, { settings });
    const options = { port, servername: "example.org", ...HALF_OPEN, ...trusting(authority.ca) };
    return { listener, client: connectTls(options), head: POST, piece: PIECE };
  },
  FastCGI: async (t, handler) => {
    const { listener, port } = await serveFastcgi(t, handler);
    const length = { REQUEST_METHOD: "POST", CONTENT_LENGTH: LENGTH };
    const head = Buffer.concat([beginRequest(1, "responder", true), params(length)]);
    const client = connect({ port, ...HALF_OPEN });
    return { listener, client, head, piece: streamPart(TYPE.STDIN, 1, PIECE) };
  },
  ...Object.fromEntries(PROTOCOLS.map((protocol) => [protocol.name, startOf(protocol)])),
};

function startOf(protocol: (typeof PROTOCOLS)[number]): Start {
  return async (t, handler) => {
    const { listener, address } = await startApplication(t, protocol, handler);
    const head = protocol.encode(variables(["REQUEST_METHOD", "POST"]), Number(LENGTH));
    const client = connect({ port: Number(address.split(":")[1]), ...HALF_OPEN });
    return { listener, client, head, piece: PIECE };
  };
}

/** A client that has sent the beginning of its upload and reads nothing. */
async function uploading(t: TestContext, start: Start, handler: Handler): Promise<Uploading> {
  const made = await start(t, handler);
  const { client } = made;
  t.after(() => void client.destroy());
  await once(client, "encrypted" in client ? "secureConnect" : "connect");
  client.pause();
  client.write(made.head);
  return made;
}

/** Sends on, then reads to the end: all that came. Rejects when the connection fails before that. */
async function readLate({ client, piece }: Uploading): Promise<string> {
  const failed = once(client, "error").then(([error]) => Promise.reject(error));
  for (let i = 0; i < PIECES; i++) client.write(piece);
  await Promise.race([failed, new Promise((resolve) => client.write(piece, resolve))]);
  const peer = new TextConnection(client);
  client.resume();
  await Promise.race([failed, peer.all()]);
  client.end();
  return peer.received;
}

for (const [name, start] of Object.entries(STARTS)) {
  test(`${name}: an upload that is not over when the grace is has its 503, though it is sent on and read late`, async (t) => {
    const { handler, next } = queue();
    const peer = await uploading(t, start, handler);
    const exchange = await next();
    const closed = peer.listener.close(50);
    await outcomeOf(exchange);
    await delay(20);
    assert.match(await readLate(peer), /503 [\s\S]*ERR_SALLYPORT_STOPPING/);
    await closed;
  });

  test(`${name}: an answer from before the end of the grace is not taken back by it`, async (t) => {
    const peer = await uploading(t, start, (exchange) => exchange.respond(head(413), "too much"));
    peer.client.write(peer.piece);
    await delay(50);
    const closed = peer.listener.close(0);
    await delay(20);
    assert.match(await readLate(peer), /413 [\s\S]*too much/);
    await closed;
  });
}
