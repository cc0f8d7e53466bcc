// The server's half of SCGI and uwsgi with raw applications that send invalid responses, byte for byte, or none.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { header, PushedBody } from "../../../src/exchange/index.ts";
import { queue } from "../../kit/handlers.ts";
import { makeFolder } from "../../kit/make-folder.ts";
import { fullQueue } from "../../protocols/fastcgi/fill-accept-queue.ts";
import { echo, listening, PROTOCOLS, startApplication, startGateway } from "./start-halves.ts";

/** An application that answers every connection with `bytes` once something has arrived, then does `after`. */
const answering =
  (bytes: string, after: (socket: Socket) => void = (socket) => socket.end()) =>
  (socket: Socket): void => {
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write(bytes, "latin1", () => after(socket));
    });
  };

const bytewise =
  (bytes: string) =>
  async (socket: Socket): Promise<void> => {
    socket.on("error", () => {}).resume();
    socket.setNoDelay(true);
    for (const byte of bytes) {
      socket.write(byte, "latin1");
      await new Promise(setImmediate);
    }
    socket.end();
  };

const keepOpen = (): void => {};

const LINUX = { skip: process.platform !== "linux" && "EAGAIN is Linux's answer" };
const AT_LAST = Buffer.from("Content-Type: text/plain\r\n\r\nat last");

for (const protocol of PROTOCOLS) {
  const { name } = protocol;

  test(`${name}, S6: a response without Status is 200, however it arrives`, async (t) => {
    const response = "Content-Type: text/x\r\n\r\nhello";
    for (const accept of [answering(response), bytewise(response)]) {
      const { address } = await listening(t, "tcp", accept);
      const { status, headers, body, complete } = await startGateway(t, protocol, { address }).ask("/");
      assert.deepEqual(
        [status, headers, body.toString(), complete],
        [200, ["Content-Type", "text/x"], "hello", true],
      );
    }
  });

  test(`${name}: a queue of connections that was full for a moment is waited for`, LINUX, async (t) => {
    const { address, free } = await fullQueue(t, AT_LAST);
    const asked = startGateway(t, protocol, { address }).ask("/");
    // By then it has met the full queue.
    await new Promise(setImmediate);
    free();
    assert.equal((await asked).body.toString(), "at last");
  });

  test(`${name}: an application whose queue of connections stays full is 503`, LINUX, async (t) => {
    const { address } = await fullQueue(t);
    const { status, body } = await startGateway(t, protocol, { address }).ask("/");
    assert.equal(status, 503);
    assert.match(body.toString(), /ERR_SALLYPORT_UPSTREAM_BUSY/);
  });

  test(`${name}: another application is asked before a full queue is waited for`, LINUX, async (t) => {
    const { address } = await fullQueue(t);
    const other = await listening(t, "tcp", answering("Content-Type: text/x\r\n\r\nfree"));
    const { ask } = startGateway(t, protocol, { address: [address, other.address] });
    for (const _ of [1, 2]) assert.equal((await ask("/")).body.toString(), "free");
  });

  test(`${name}: a head may begin with a status line or a Status field, however it arrives`, async (t) => {
    for (const first of [
      "HTTP/1.1 404 Gone fishing",
      "HTTP/1.0 404 Gone fishing",
      "Status: 404 Gone fishing",
    ])
      for (const accept of [answering(`${first}\r\n\r\nno`), bytewise(`${first}\r\n\r\nno`)]) {
        const { address } = await listening(t, "tcp", accept);
        const { status, reason, body } = await startGateway(t, protocol, { address }).ask("/");
        assert.deepEqual([status, reason, body.toString()], [404, "Gone fishing", "no"]);
      }
  });

  test(`${name}: what is no head is 502, and the log names the application`, async (t) => {
    const bad = [
      "",
      "H",
      "HTTP",
      "HTTP/1.1 20 OK\r\n\r\n",
      "Status: 20x\r\n\r\n",
      "no colon\r\n\r\n",
      "A: b\r\n",
    ];
    for (const response of [...bad, `A: ${"a".repeat(70_000)}`]) {
      const { address } = await listening(t, "tcp", answering(response));
      const asked = startGateway(t, protocol, { address });
      const { status, body } = await asked.ask("/");
      assert.equal(status, 502, JSON.stringify(response.slice(0, 20)));
      assert.match(body.toString(), /ERR_SALLYPORT_CGI_/);
      assert.ok(asked.lines.some(({ message }) => message.startsWith(`${address}: `)));
    }
  });

  test(`${name}: a connection that is reset is 502 before the head, and a cut after it`, async (t) => {
    const reset = (socket: Socket): void => void socket.resetAndDestroy();
    const early = await listening(t, "tcp", answering("Status: 200", reset));
    const before = await startGateway(t, protocol, { address: early.address }).ask("/");
    assert.deepEqual([before.status, before.error?.code], [502, undefined]);
    assert.match(before.body.toString(), /UPSTREAM_BROKEN|CGI_NO_HEADER/);
    // The reset arrives in one turn with the bytes, and looks like an end.
    const at = await listening(t, "tcp", answering("Status: 200 OK\r\n\r\nhalf", reset));
    const together = await startGateway(t, protocol, { address: at.address }).ask("/");
    assert.deepEqual([together.status, together.complete], [200, false]);
    const { handler, next } = queue();
    const app = await listening(t, "tcp", (socket) => {
      answering("Status: 200 OK\r\n\r\nhalf", () => handler({ cut: () => reset(socket) } as never))(socket);
    });
    const asked = startGateway(t, protocol, { address: app.address }).exchange({});
    while (asked.chunks.length === 0) await new Promise(setImmediate);
    ((await next()) as unknown as { cut(): void }).cut();
    const after = await asked.done;
    assert.deepEqual(
      [after.status, after.complete, after.error?.code],
      [200, false, "ERR_SALLYPORT_UPSTREAM_BROKEN"],
    );
  });

  test(
    `${name}: an application that ends its response and leaves an upload unread has answered`,
    LINUX,
    async (t) => {
      const upload = Buffer.alloc(300_000);
      const leave = (socket: Socket): void => {
        // What was sent lies unread in the kernel, which resets the connection when it is closed.
        socket.pause();
        socket.end(() => socket.destroy());
      };
      const app = await listening(t, "tcp", answering("Status: 404 Not Found\r\n\r\nno such page", leave));
      const asked = startGateway(t, protocol, { address: app.address });
      const { status, complete, body } = await asked.ask("/", { body: upload });
      assert.deepEqual([status, complete, body.toString()], [404, true, "no such page"]);
    },
  );

  test(`${name}: a body shorter than its Content-Length is cut, a longer one ends where it should`, async (t) => {
    const short = await listening(t, "tcp", answering("Content-Length: 9\r\n\r\nfour"));
    const cut = await startGateway(t, protocol, { address: short.address }).ask("/");
    assert.deepEqual([cut.complete, cut.error?.code], [false, "ERR_SALLYPORT_APP_SHORT_BODY"]);
    const long = await listening(t, "tcp", answering("Content-Length: 4\r\n\r\nfour and more"));
    const whole = await startGateway(t, protocol, { address: long.address }).ask("/");
    assert.deepEqual([whole.complete, whole.body.toString()], [true, "four"]);
  });

  test(`${name}: a whole response is answered at once, though the application keeps the connection`, async (t) => {
    const { address } = await listening(t, "tcp", answering("Content-Length: 4\r\n\r\nfour", keepOpen));
    const { complete, body } = await startGateway(t, protocol, { address }).ask("/");
    assert.deepEqual([complete, body.toString()], [true, "four"]);
  });

  test(`${name}: an application that does not answer in time is 504, one that stalls in its body is cut`, async (t) => {
    const silent = await listening(t, "tcp", answering("", keepOpen));
    const late = await startGateway(t, protocol, { address: silent.address, timeout: 20 }).ask("/");
    assert.equal(late.status, 504);
    const stalling = await listening(t, "tcp", answering("Status: 200\r\n\r\nhalf", keepOpen));
    const cut = await startGateway(t, protocol, { address: stalling.address, idleTimeout: 20 }).ask("/");
    assert.deepEqual([cut.status, cut.body.toString(), cut.complete], [200, "half", false]);
  });

  test(`${name}: the time that a client takes to send its body is not the application's`, async (t) => {
    const app = await startApplication(t, protocol, echo);
    const body = new PushedBody(6, { pause() {}, resume() {} });
    const options = { address: app.address, bufferBody: false, timeout: 500 };
    const asked = startGateway(t, protocol, options).exchange({ method: "POST", body });
    body.push(Buffer.from("abc"));
    await new Promise((resolve) => setTimeout(resolve, 800));
    body.push(Buffer.from("def"));
    body.end();
    assert.equal((await asked.done).body.toString(), "abcdef");
  });

  test(`${name}: a socket that is not there is 502 with its path in the log, and found when it appears`, async (t) => {
    const path = join(makeFolder(t), "later.sock");
    const { ask, lines } = startGateway(t, protocol, { address: `unix:${path}` });
    assert.equal((await ask("/")).status, 502);
    assert.ok(lines.some(({ message }) => message.includes(path)));
    const server = createServer(answering("Status: 200\r\n\r\nhere"));
    t.after(() => server.close());
    await new Promise<void>((resolve) => server.listen(path, resolve));
    assert.equal((await ask("/")).body.toString(), "here");
  });

  test(`${name}: what one application cannot take, another does, because nothing was sent yet`, async (t) => {
    const gone = join(makeFolder(t), "gone.sock");
    rmSync(gone, { force: true });
    const app = await startApplication(t, protocol, echo);
    const { ask } = startGateway(t, protocol, { address: [`unix:${gone}`, app.address] });
    for (let i = 0; i < 4; i++)
      assert.equal((await ask("/", { method: "POST", body: `try ${i}` })).body.toString(), `try ${i}`);
  });

  test(`${name}: more requests than connections wait, but not too many and not too long`, async (t) => {
    const apps = queue();
    const app = await startApplication(t, protocol, apps.handler);
    const options = { address: app.address, connections: 1, queue: 1 };
    const { exchange, ask } = startGateway(t, protocol, options);
    const first = exchange({});
    const made = await apps.next();
    const second = exchange({});
    const full = await ask("/");
    assert.equal(full.status, 503);
    assert.match(full.body.toString(), /QUEUE_FULL/);
    assert.equal(header(full.headers, "retry-after"), "1");
    made.respond({ status: 200, reason: "", headers: [] }, "first");
    (await apps.next()).respond({ status: 200, reason: "", headers: [] }, "second");
    assert.deepEqual(
      [(await first.done).body.toString(), (await second.done).body.toString()],
      ["first", "second"],
    );
    for (const queueTimeout of [20, 0]) {
      const impatient = startGateway(t, protocol, { ...options, queueTimeout });
      const held = impatient.exchange({});
      await apps.next();
      assert.match((await impatient.ask("/")).body.toString(), /QUEUE_TIMEOUT/);
      held.hangUp();
    }
  });

  test(`${name}: a client that leaves frees its place in the queue and its connection`, async (t) => {
    const apps = queue();
    const app = await startApplication(t, protocol, apps.handler);
    const { exchange } = startGateway(t, protocol, { address: app.address, connections: 1 });
    const first = exchange({});
    const made = await apps.next();
    exchange({}).hangUp();
    first.hangUp();
    const third = exchange({ target: "/third" });
    const next = await apps.next();
    assert.equal(next.request.path, "/third");
    next.respond({ status: 204, reason: "", headers: [] }, "");
    assert.equal((await third.done).status, 204);
    assert.equal(made.closed, true);
  });

  test(`${name}: what cannot be said in variables is refused before anything is sent`, async (t) => {
    const apps = queue();
    const app = await startApplication(t, protocol, apps.handler);
    const { ask } = startGateway(t, protocol, { address: app.address, maxBody: 3 });
    assert.equal((await ask("/%00")).status, 400);
    for (const body of ["4444", new PushedBody(9, { pause() {}, resume() {} })])
      assert.equal((await ask("/", { body })).status, 413);
    assert.equal(apps.count, 0);
  });

  test(`${name}: \`maxBody\` is for what is set aside: a body of that size passes, and a larger one that streams`, async (t) => {
    const app = await startApplication(t, protocol, echo);
    const body = "4444";
    for (const limit of [{ maxBody: 4 }, { maxBody: 3, bufferBody: false }]) {
      const answer = await startGateway(t, protocol, { address: app.address, ...limit }).ask("/", { body });
      assert.deepEqual([answer.status, answer.body.toString().includes(body)], [200, true]);
    }
  });

  test(`${name}: a local redirect goes to the routes, or to the client where there are none`, async (t) => {
    const { address } = await listening(t, "tcp", answering("Location: /other?x\r\n\r\n"));
    const { status, headers } = await startGateway(t, protocol, { address }).ask("/");
    assert.deepEqual([status, headers], [302, ["Location", "/other?x"]]);
    const routed = startGateway(t, protocol, {
      address,
      redirect: (exchange, target) =>
        exchange.respond({ status: 200, reason: "", headers: [] }, `to ${target}`),
    });
    assert.equal((await routed.ask("/")).body.toString(), "to /other?x");
    const circular = startGateway(t, protocol, {
      address,
      redirect() {
        throw new Error("on purpose");
      },
    });
    assert.equal((await circular.ask("/")).status, 500);
  });

  test(`${name}: configured variables win over those of the request`, async (t) => {
    const received = new Promise<string>((resolve) => {
      listening(t, "tcp", (socket) => {
        socket.once("data", (bytes) => resolve(bytes.toString("latin1")));
        answering("Status: 204\r\n\r\n")(socket);
      }).then(({ address }) =>
        startGateway(t, protocol, { address, variables: { SERVER_NAME: "é", DOCUMENT_ROOT: "/srv" } }).ask(
          "/",
        ),
      );
    });
    const bytes = await received;
    assert.match(bytes, /SERVER_NAME.?.?\xc3\xa9/s);
    assert.match(bytes, /DOCUMENT_ROOT.?.?\/srv/s);
    assert.equal(bytes.split("SERVER_NAME").length, 2);
  });

  test(`${name}: a hundred requests leave no connection behind`, async (t) => {
    const open = new Set<Socket>();
    const { address } = await listening(t, "tcp", (socket) => {
      open.add(socket);
      socket.once("close", () => open.delete(socket));
      answering("Content-Length: 2\r\n\r\nok")(socket);
    });
    const { ask } = startGateway(t, protocol, { address });
    await Promise.all(Array.from({ length: 100 }, () => ask("/")));
    while (open.size > 0) await new Promise(setImmediate);
  });

  test(`${name}: a client that waits for 100 Continue is not asked to send before the application reads`, async (t) => {
    const apps = queue();
    const app = await startApplication(t, protocol, apps.handler);
    const body = new PushedBody(5, { pause() {}, resume() {} });
    const headers = ["Host", "a", "Expect", "100-continue"];
    const asked = startGateway(t, protocol, { address: app.address }).exchange({
      method: "POST",
      headers,
      body,
    });
    // The application has the request, of whose body nothing was sent.
    (await apps.next()).respond({ status: 417, reason: "", headers: [] }, "");
    assert.equal((await asked.done).status, 417);
  });

  test(`${name}: an address that is none is refused at once`, () => {
    for (const address of ["", "unix:", "localhost", "localhost:0", "localhost:99999", []])
      assert.throws(() => protocol.gateway({ address }), { code: "ERR_SALLYPORT_CONFIG_INVALID" });
  });
}

test("uwsgi: more variables than a packet can hold are 431, and no connection is made for them", async (t) => {
  const apps = queue();
  const [, protocol] = PROTOCOLS;
  const app = await startApplication(t, protocol, apps.handler);
  const { ask } = startGateway(t, protocol, { address: app.address });
  const headers = ["X-Large", "x".repeat(70_000)];
  assert.equal((await ask("/", { headers })).status, 431);
  assert.equal(apps.count, 0);
});
