// The server's half of SCGI and uwsgi against the application's, each on TCP and on a Unix socket.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { header, PushedBody, SallyportError } from "../../../src/exchange/index.ts";
import { bodyBytes, head, queue } from "../../kit/handlers.ts";
import { echo, PROTOCOLS, startApplication, startGateway, TRANSPORTS } from "./start-halves.ts";

const MEBIBYTE = Buffer.alloc(1_048_576, "0123456789abcdef");

for (const protocol of PROTOCOLS)
  for (const transport of TRANSPORTS) {
    const on = `${protocol.name} on ${transport}`;

    test(`${on}: a request arrives as it was, and its response as well`, async (t) => {
      const apps = queue();
      const app = await startApplication(t, protocol, apps.handler, { transport });
      const asked = startGateway(t, protocol, { address: app.address }).exchange({
        method: "POST",
        target: "/a%20b/c%2Fd?x=%31",
        mount: "/a%20b",
        headers: ["Host", "example.org:81", "X-One", "1", "Cookie", "a=1", "Content-Type", "text/x"],
        authority: "example.org:81",
        scheme: "https",
        body: "hello",
      });
      const exchange = await apps.next();
      const { request, mount, body } = exchange;
      assert.deepEqual(
        [request.method, request.target, request.path, request.query, mount, request.version, request.scheme],
        ["POST", "/a%20b/c%2Fd?x=%31", "/a%20b/c%2Fd", "x=%31", "/a%20b", "1.1", "https"],
      );
      assert.equal(request.authority, "example.org:81");
      assert.deepEqual(request.remote, { address: "127.0.0.1", port: 50_000 });
      assert.equal(header(request.headers, "x-one"), "1");
      assert.equal(header(request.headers, "cookie"), "a=1");
      assert.equal(header(request.headers, "content-type"), "text/x");
      assert.equal(body.length, 5);
      exchange.respond(head(201, "X-Two", "2", "X-Two", "3"), "done");
      const { status, headers, body: text, complete } = await asked.done;
      assert.deepEqual([status, text.toString(), complete], [201, "done", true]);
      assert.deepEqual(headers.slice(0, 4), ["X-Two", "2", "X-Two", "3"]);
    });

    test(`${on}: eight mebibytes go there and back whole`, async (t) => {
      const app = await startApplication(t, protocol, echo, { transport });
      const body = Buffer.concat(Array(8).fill(MEBIBYTE));
      const answer = await startGateway(t, protocol, { address: app.address }).ask("/", {
        method: "POST",
        body,
      });
      assert.equal(answer.complete, true);
      assert.equal(sha(answer.body), sha(body));
    });

    test(`${on}: a body of unknown length is set aside, so that its length is true`, async (t) => {
      const app = await startApplication(
        t,
        protocol,
        (exchange) => {
          const { length } = exchange.body;
          bodyBytes(exchange).then((data) => exchange.respond(head(200), `${length} ${data}`));
        },
        { transport },
      );
      const body = new PushedBody(undefined, { pause() {}, resume() {} });
      const asked = startGateway(t, protocol, { address: app.address }).exchange({ method: "POST", body });
      body.push(Buffer.from("two "));
      body.push(Buffer.from("pieces"));
      body.end();
      assert.equal((await asked.done).body.toString(), "10 two pieces");
    });

    test(`${on}: a response without a length is streamed piece by piece and ends with the connection`, async (t) => {
      const apps = queue();
      const app = await startApplication(t, protocol, apps.handler, { transport });
      const asked = startGateway(t, protocol, { address: app.address }).exchange({});
      const exchange = await apps.next();
      exchange.start(head(200));
      exchange.write(Buffer.from("first"));
      while (asked.chunks.length === 0) await new Promise(setImmediate);
      assert.equal(Buffer.concat(asked.chunks).toString(), "first");
      exchange.write(Buffer.from(" second"));
      exchange.end();
      const { body, complete } = await asked.done;
      assert.deepEqual([body.toString(), complete], ["first second", true]);
    });

    test(`${on}: HEAD, 204 and 304 have no body, whatever is announced`, async (t) => {
      const apps = queue();
      const app = await startApplication(t, protocol, apps.handler, { transport });
      const { exchange } = startGateway(t, protocol, { address: app.address });
      const ask = async (method: string, status: number): Promise<unknown> => {
        const asked = exchange({ method });
        (await apps.next()).respond(head(status, "Content-Length", "5"), "");
        const { body, complete, headers } = await asked.done;
        return [body.length, complete, header(headers, "content-length")];
      };
      assert.deepEqual(await ask("HEAD", 200), [0, true, "5"]);
      assert.deepEqual(await ask("GET", 204), [0, true, undefined]);
      assert.deepEqual(await ask("GET", 304), [0, true, "5"]);
    });

    test(`${on}: an application that answers before the body has come is heard`, async (t) => {
      const app = await startApplication(t, protocol, (exchange) => exchange.respond(head(403), "no"), {
        transport,
      });
      const body = new PushedBody(1_000_000, { pause() {}, resume() {} });
      const { exchange } = startGateway(t, protocol, { address: app.address, bufferBody: false });
      const asked = exchange({ method: "POST", body });
      body.push(Buffer.alloc(10));
      const { status, complete } = await asked.done;
      assert.deepEqual([status, complete, body.discarded], [403, true, true]);
    });

    test(`${on}: a cut response is cut for the client, with and without a length`, async (t) => {
      const limits = { cutTimeout: 60_000 };
      const apps = queue();
      const app = await startApplication(t, protocol, apps.handler, { transport, limits });
      // Silence is how a Unix socket says it.
      const { exchange } = startGateway(t, protocol, { address: app.address, idleTimeout: 300 });
      for (const headers of [["Content-Length", "10"], []]) {
        const asked = exchange({});
        const made = await apps.next();
        made.start(head(200, ...headers));
        made.write(Buffer.from("half"));
        while (asked.chunks.length === 0) await new Promise(setImmediate);
        made.fail(new SallyportError("APP_ABORTED", "on purpose"));
        const { complete, body } = await asked.done;
        assert.deepEqual([complete, body.toString()], [false, "half"]);
      }
    });

    test(`${on}: the application learns that the client has left`, async (t) => {
      const apps = queue();
      const app = await startApplication(t, protocol, apps.handler, {
        transport,
        limits: { halfClosed: 10 },
      });
      const asked = startGateway(t, protocol, { address: app.address }).exchange({});
      const exchange = await apps.next();
      const over = new Promise<SallyportError | undefined>((resolve) =>
        exchange.whenClosed(({ error }) => resolve(error)),
      );
      asked.hangUp();
      assert.equal((await over)?.code, "ERR_SALLYPORT_CLIENT_LEFT");
    });

    test(`${on}: a client that does not read holds the application back only when memory and file are full`, async (t) => {
      const apps = queue();
      const app = await startApplication(t, protocol, apps.handler, { transport });
      const asked = startGateway(t, protocol, { address: app.address }).exchange({});
      asked.stalled = true;
      const exchange = await apps.next();
      exchange.start(head(200));
      for (let sent = 0; sent < 16; sent++)
        if (!exchange.write(MEBIBYTE)) await new Promise<void>((resolve) => exchange.whenDrained(resolve));
      exchange.end();
      assert.ok(asked.chunks.length < 3);
      asked.stalled = false;
      asked.release();
      assert.equal((await asked.done).bytes, 16 * MEBIBYTE.length);
    });

    test(`${on}: a listener that closes lets the request under way finish, and refuses the next`, async (t) => {
      const apps = queue();
      const app = await startApplication(t, protocol, apps.handler, { transport });
      const { exchange, ask } = startGateway(t, protocol, { address: app.address });
      const asked = exchange({});
      const made = await apps.next();
      const closed = app.listener.close(60_000);
      const refused = await ask("/");
      assert.equal(refused.status, 503);
      made.respond(head(200), "still here");
      assert.equal((await asked.done).body.toString(), "still here");
      await closed;
    });

    test(`${on}: a gateway that closes waits for what is under way, and refuses the next`, async (t) => {
      const apps = queue();
      const app = await startApplication(t, protocol, apps.handler, { transport });
      const { exchange, gateway } = startGateway(t, protocol, { address: app.address });
      const asked = exchange({});
      const made = await apps.next();
      const closed = gateway.close?.(Number.POSITIVE_INFINITY);
      assert.equal((await exchange({}).done).status, 503);
      await delay(20); // a timer of more than 2^31-1 ms would have fired
      made.respond(head(200), "in time");
      assert.equal((await asked.done).body.toString(), "in time");
      await closed;
    });

    test(`${on}: a gateway whose grace is over fails what is under way`, async (t) => {
      const apps = queue();
      const app = await startApplication(t, protocol, apps.handler, { transport });
      const { exchange, gateway } = startGateway(t, protocol, { address: app.address });
      const asked = exchange({});
      await apps.next();
      await gateway.close?.(0);
      assert.equal((await asked.done).status, 503);
    });

    test(`${on}: a streamed upload is held back by an application that does not read`, async (t) => {
      const apps = queue();
      const app = await startApplication(t, protocol, apps.handler, { transport });
      const source = new Source(32);
      const { exchange } = startGateway(t, protocol, { address: app.address, bufferBody: false });
      const asked = exchange({ method: "POST", body: source.body });
      const made = await apps.next();
      while (!source.paused) await new Promise(setImmediate);
      const { length } = await bodyBytes(made);
      made.respond(head(200), String(length));
      assert.equal((await asked.done).body.toString(), String(32 * MEBIBYTE.length));
    });
  }

/** A client that sends so many mebibytes, as fast as it may. */
class Source {
  readonly body: PushedBody;
  paused = false;
  #left: number;

  constructor(mebibytes: number) {
    this.#left = mebibytes;
    const pause = (): void => {
      this.paused = true;
    };
    this.body = new PushedBody(mebibytes * MEBIBYTE.length, { pause, resume: () => this.#push() });
    this.#push();
  }

  #push(): void {
    this.paused = false;
    while (!this.paused && this.#left-- > 0) this.body.push(MEBIBYTE);
    if (this.#left < 0) this.body.end();
  }
}

const sha = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");
