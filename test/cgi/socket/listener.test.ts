// The application's half of SCGI and uwsgi with raw web servers that send invalid requests, byte for byte, or late ones.
import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import type { Outcome } from "../../../src/exchange/index.ts";
import { SallyportError } from "../../../src/exchange/index.ts";
import { bodyBytes, head, queue } from "../../kit/handlers.ts";
import {
  echo,
  PROTOCOLS,
  type Protocol,
  Raw,
  startApplication,
  TRANSPORTS,
  variables,
} from "./start-halves.ts";

const get = (protocol: Protocol): Uint8Array => protocol.encode(variables(), 0);
const post = (protocol: Protocol, length: number): Uint8Array =>
  protocol.encode(variables(["REQUEST_METHOD", "POST"]), length);
const over = (exchange: { whenClosed(callback: (outcome: Outcome) => void): void }): Promise<Outcome> =>
  new Promise((resolve) => exchange.whenClosed(resolve));

for (const protocol of PROTOCOLS) {
  const { name, ok } = protocol;

  test(`${name}: a request that arrives byte by byte is the same request`, async (t) => {
    const app = await startApplication(t, protocol, echo);
    const raw = await Raw.to(t, app.address);
    for (const byte of Buffer.concat([post(protocol, 5), Buffer.from("hello")])) {
      raw.send(Uint8Array.of(byte));
      await new Promise(setImmediate);
    }
    const answer = await raw.all();
    assert.ok(answer.startsWith(`${ok}\r\n`));
    assert.ok(answer.endsWith("\r\n\r\nhello"));
  });

  test(`${name}, S1, S2, S3: what is no request is refused, logged, and never reaches the application`, async (t) => {
    const apps = queue();
    const app = await startApplication(t, protocol, apps.handler);
    const raw = (await Raw.to(t, app.address)).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.match(await raw.all(), /400 Bad Request\r\n[\s\S]*ERR_SALLYPORT_BAD_REQUEST/);
    assert.equal(app.lines[0]?.fields?.code, "ERR_SALLYPORT_BAD_REQUEST");
    assert.equal(app.lines[0]?.fields?.fault, "client");
    assert.equal(apps.count, 0);
  });

  test(`${name}: variables that describe no request are refused`, async (t) => {
    const app = await startApplication(t, protocol, echo);
    const raw = await Raw.to(t, app.address);
    raw.send(protocol.encode(new Map([["PATH_INFO", "/"]]), 0));
    assert.match(await raw.all(), /400 Bad Request/);
  });

  test(`${name}: too many bytes of variables are 431, too large a body is 413`, async (t) => {
    const app = await startApplication(t, protocol, echo, { limits: { variables: 1000, body: 99 } });
    const large = (await Raw.to(t, app.address)).send(
      protocol.encode(variables(["HTTP_X", "x".repeat(1000)]), 0),
    );
    assert.match(await large.all(), /431 /);
    assert.match(await (await Raw.to(t, app.address)).send(post(protocol, 100)).all(), /413 /);
  });

  test(`${name}, S5: a body that ends early is an error to the application, and 400`, async (t) => {
    const apps = queue();
    const app = await startApplication(t, protocol, apps.handler);
    const raw = (await Raw.to(t, app.address)).send(post(protocol, 10)).send("hello");
    const read = bodyBytes(await apps.next());
    raw.socket.end();
    await assert.rejects(read, { code: "ERR_SALLYPORT_BODY_INCOMPLETE" });
    assert.match(await raw.all(), /400 [\s\S]*BODY_INCOMPLETE/);
  });

  test(`${name}, S5: bytes after the body are ignored`, async (t) => {
    const apps = queue();
    const app = await startApplication(t, protocol, apps.handler);
    const raw = (await Raw.to(t, app.address)).send(post(protocol, 5)).send("hello, world");
    const exchange = await apps.next();
    raw.send(Buffer.alloc(300_000));
    assert.equal((await bodyBytes(exchange)).toString(), "hello");
    exchange.respond(head(200), "bye");
    assert.match(await raw.all(), /bye$/);
    assert.equal(apps.count, 1);
  });

  test(`${name}: a connection that says nothing is closed, one that stops within a request gets 408`, async (t) => {
    const app = await startApplication(t, protocol, echo, { limits: { headTimeout: 20, bodyTimeout: 20 } });
    assert.equal(await (await Raw.to(t, app.address)).all(), "");
    const inHead = (await Raw.to(t, app.address)).send(get(protocol).subarray(0, 9));
    assert.match(await inHead.all(), /408 /);
    const inBody = (await Raw.to(t, app.address)).send(post(protocol, 10)).send("hello");
    assert.match(await inBody.all(), /408 /);
  });

  test(`${name}: a body that waits for the application is not late`, async (t) => {
    const apps = queue();
    const app = await startApplication(t, protocol, apps.handler, { limits: { bodyTimeout: 300 } });
    const body = Buffer.alloc(4_000_000, "b");
    const raw = (await Raw.to(t, app.address)).send(post(protocol, body.length)).send(body);
    const exchange = await apps.next();
    await new Promise((resolve) => setTimeout(resolve, 700));
    assert.equal((await bodyBytes(exchange)).length, body.length);
    exchange.respond(head(200), "all");
    assert.match(await raw.all(), /all$/);
  });

  test(`${name}, L1: a peer that ends its side is still answered, as long as it takes what is sent`, async (t) => {
    const apps = queue();
    const app = await startApplication(t, protocol, apps.handler, { limits: { halfClosed: 20 } });
    const raw = (await Raw.to(t, app.address)).send(get(protocol));
    const exchange = await apps.next();
    raw.socket.end();
    exchange.start(head(200));
    for (let piece = 0; piece < 20; piece++) {
      exchange.write(Buffer.from("proof "));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    exchange.end();
    assert.equal((await over(exchange)).complete, true);
    assert.match(await raw.all(), /(?:proof ){20}$/);
  });

  test(`${name}: a peer that ends its side and hears nothing for long has left`, async (t) => {
    const apps = queue();
    const app = await startApplication(t, protocol, apps.handler, { limits: { halfClosed: 20 } });
    const raw = (await Raw.to(t, app.address)).send(get(protocol));
    const exchange = await apps.next();
    raw.socket.end();
    assert.equal((await over(exchange)).error?.code, "ERR_SALLYPORT_CLIENT_LEFT");
  });

  test(`${name}: a peer that takes nothing for long is cut`, async (t) => {
    const apps = queue();
    const app = await startApplication(t, protocol, apps.handler, { limits: { sendTimeout: 100 } });
    const raw = (await Raw.to(t, app.address)).send(get(protocol));
    raw.socket.pause();
    const exchange = await apps.next();
    exchange.start(head(200));
    const fill = (): void => {
      while (!exchange.closed && exchange.write(Buffer.alloc(1_000_000)));
      exchange.whenDrained(fill);
    };
    fill();
    assert.equal((await over(exchange)).error?.code, "ERR_SALLYPORT_CLIENT_STALLED");
  });

  test(`${name}: a peer that takes nothing for long is cut, though it goes on sending`, async (t) => {
    const apps = queue();
    const app = await startApplication(t, protocol, apps.handler, { limits: { sendTimeout: 200 } });
    const raw = (await Raw.to(t, app.address)).send(post(protocol, 1_000_000)).send("x");
    raw.socket.pause();
    const exchange = await apps.next();
    const sending = setInterval(() => raw.send("x"), 20);
    t.after(() => clearInterval(sending));
    exchange.start(head(200));
    exchange.write(Buffer.alloc(50_000_000));
    assert.equal((await over(exchange)).error?.code, "ERR_SALLYPORT_CLIENT_STALLED");
  });

  test(`${name}: a peer that never takes the last bytes of a response is cut`, async (t) => {
    const apps = queue();
    const limits = { sendTimeout: 200, lingerTimeout: 50 };
    const app = await startApplication(t, protocol, apps.handler, { limits });
    const raw = (await Raw.to(t, app.address)).send(get(protocol));
    raw.socket.pause();
    const exchange = await apps.next();
    exchange.start(head(200));
    const socket = app.accepted[0] as Socket;
    const closed = once(socket, "close");
    do {
      exchange.write(Buffer.alloc(8_000));
      await new Promise(setImmediate);
    } while (socket.writableLength === 0);
    exchange.end();
    await closed;
  });

  test(`${name}: one connection more than the limit is refused with 503`, async (t) => {
    const apps = queue();
    const app = await startApplication(t, protocol, apps.handler, { limits: { connections: 1 } });
    const first = (await Raw.to(t, app.address)).send(get(protocol));
    const exchange = await apps.next();
    assert.match(await (await Raw.to(t, app.address)).send(get(protocol)).all(), /503 [\s\S]*Retry-After/);
    exchange.respond(head(200), "first");
    assert.match(await first.all(), /first$/);
  });

  test(`${name}: an application that throws is 500, one that would split the response as well`, async (t) => {
    let calls = 0;
    const app = await startApplication(t, protocol, (exchange) => {
      if (calls++ === 0) throw new Error("on purpose");
      exchange.fail(new SallyportError("APP_PROTOCOL", "on purpose"));
    });
    assert.match(await (await Raw.to(t, app.address)).send(get(protocol)).all(), /500 /);
    const answer = await (await Raw.to(t, app.address)).send(get(protocol)).all();
    assert.match(answer, /500 [\s\S]*ERR_SALLYPORT_APP_PROTOCOL/);
    assert.doesNotMatch(answer, /on purpose/);
  });

  for (const transport of TRANSPORTS)
    test(`${name} on ${transport}: a cut never looks like the end of a response`, async (t) => {
      const apps = queue();
      const app = await startApplication(t, protocol, apps.handler, {
        transport,
        limits: { cutTimeout: 100 },
      });
      const cut = async (...headers: string[]): Promise<Raw> => {
        const raw = (await Raw.to(t, app.address)).send(get(protocol));
        const exchange = await apps.next();
        exchange.start(head(200, ...headers));
        exchange.write(Buffer.from("half"));
        await raw.until(() => raw.received.endsWith("half"));
        exchange.fail(new SallyportError("APP_ABORTED", "on purpose"));
        return raw;
      };
      const announced = await cut("Content-Length", "9");
      assert.match(await announced.all(), /Content-Length: 9\r\n[\s\S]*half$/);
      const endless = await cut();
      if (transport === "unix") {
        // Nothing but silence; whoever waits for the end waits until its own patience, or ours, is over.
        await new Promise(setImmediate);
        assert.equal(endless.state, "");
        await endless.all();
      } else {
        await endless.all();
        assert.equal(endless.state, "reset");
      }
    });

  test(`${name}: a listener that closes ends idle connections at once, and cuts the others after the grace`, async (t) => {
    const apps = queue();
    const app = await startApplication(t, protocol, apps.handler);
    const idle = await Raw.to(t, app.address);
    const busy = (await Raw.to(t, app.address)).send(get(protocol));
    const exchange = await apps.next();
    const closed = app.listener.close(50);
    assert.equal(await idle.all(), "");
    assert.match(await busy.all(), /503 [\s\S]*ERR_SALLYPORT_STOPPING/);
    assert.equal(exchange.closed, true);
    await closed;
  });

  test(`${name}, L2: connections dropped at any moment leave nothing behind`, async (t) => {
    const apps = queue();
    const app = await startApplication(t, protocol, apps.handler);
    const request = Buffer.concat([post(protocol, 1000), Buffer.alloc(500)]);
    for (let cut = 0; cut <= request.length; cut += 20) {
      const raw = (await Raw.to(t, app.address)).send(request.subarray(0, cut));
      raw.socket.resetAndDestroy();
    }
    // Resolves when the last connection is gone; nothing is cut by force within this grace.
    await app.listener.close(60_000);
    for (let left = apps.count; left > 0; left--) assert.equal((await apps.next()).closed, true);
  });
}

test("uwsgi: a body whose length nobody tells is refused", async (t) => {
  const [, protocol] = PROTOCOLS;
  const app = await startApplication(t, protocol, echo);
  const raw = await Raw.to(t, app.address);
  raw.send(protocol.encode(variables(["REQUEST_METHOD", "POST"], ["HTTP_TRANSFER_ENCODING", "chunked"]), 0));
  assert.match(await raw.all(), /400 /);
});

test("SCGI: nginx's repeated fields arrive one by one", async (t) => {
  const apps = queue();
  const [protocol] = PROTOCOLS;
  const app = await startApplication(t, protocol, apps.handler);
  const strings =
    "CONTENT_LENGTH\x000\0SCGI\x001\0REQUEST_METHOD\0GET\0DOCUMENT_URI\0/\0HTTP_X\x001\0HTTP_X\x002\0";
  const raw = (await Raw.to(t, app.address)).send(`${strings.length}:${strings},`);
  const exchange = await apps.next();
  assert.deepEqual(exchange.request.headers.slice(0, 4), ["X", "1", "X", "2"]);
  exchange.respond(head(204), "");
  await raw.all();
});
