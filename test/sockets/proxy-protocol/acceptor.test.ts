// Connections with a PROXY header in front, on real sockets: what is behind the header arrives as if it began there.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import type { Log } from "../../../src/exchange/index.ts";
import { socketAddressesOf } from "../../../src/sockets/addresses.ts";
import { ProxyAcceptor, type ProxyAcceptorOptions } from "../../../src/sockets/proxy-protocol/acceptor.ts";
import { localHeader, OVER_TLS, version1, version2 } from "../../kit/proxy-header.ts";

const SAID = {
  remote: { address: "203.0.113.9", port: 56_324 },
  local: { address: "198.51.100.1", port: 443 },
};
const SAID6 = {
  remote: { address: "2001:db8:0:0:0:0:0:9", port: 1 },
  local: { address: "0:0:0:0:0:ffff:c633:6401", port: 2 },
};

interface Opened {
  readonly port: number;
  readonly acceptor: ProxyAcceptor;
  readonly lines: string[];
  readonly accepted: number;
  client(): Promise<Socket>;
}

/** Behind the acceptor a client gets the addresses that it is taken for, and then all that it sends. */
async function open(t: TestContext, options: Partial<ProxyAcceptorOptions> = {}): Promise<Opened> {
  const lines: string[] = [];
  let accepted = 0;
  const accept = (socket: Socket): void => {
    accepted++;
    const { remote, local, encrypted } = socketAddressesOf(socket);
    socket.write(`${remote.address} ${remote.port} ${local.address} ${local.port} ${encrypted}\n`);
    socket.on("error", () => {}).on("data", (chunk) => socket.write(chunk));
    socket.on("end", () => socket.end("end"));
  };
  const log = logTo(lines);
  const acceptor = new ProxyAcceptor({
    accept,
    expects: () => true,
    log,
    timeout: 60_000,
    most: 10,
    ...options,
  });
  const server = createServer({ allowHalfOpen: true }, (socket) => acceptor.accept(socket));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const sockets: Socket[] = [];
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await acceptor.close(0);
    server.close();
  });
  const client = async (): Promise<Socket> => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    sockets.push(socket.on("error", () => {}));
    await once(socket, "connect");
    return socket;
  };
  return {
    port,
    acceptor,
    lines,
    client,
    get accepted() {
      return accepted;
    },
  };
}

function logTo(lines: string[]): Log {
  const write: Log["info"] = (message, { code, fault, remote } = {}) =>
    void lines.push(`${message} ${code} ${fault} ${remote}`);
  return { debug: write, info: write, warn: write, error: write };
}

/** All that it sends until it ends. */
async function heard(socket: Socket): Promise<string> {
  let text = "";
  for await (const chunk of socket) text += chunk;
  return text;
}

const TOLD = "203.0.113.9 56324 198.51.100.1 443 false\n";

for (const [name, header] of [
  ["version 1", version1(SAID)],
  ["version 2", version2(SAID)],
] as const) {
  test(`${name}: what comes with the header, and after it, and the end of it, arrives`, async (t) => {
    const { client } = await open(t);
    const socket = await client();
    socket.write(Buffer.concat([header, Buffer.from("first ")]));
    await once(socket, "data").then(([told]) => socket.unshift(told));
    socket.end("second ");
    assert.equal(await heard(socket), `${TOLD}first second end`);
  });

  test(`${name}: the header, what follows, and the end may come at once, or byte by byte`, async (t) => {
    const { client } = await open(t);
    const [whole, split] = [await client(), await client()];
    whole.end(Buffer.concat([header, Buffer.from("x")]));
    for (const byte of header) await new Promise((resolve) => split.write(Buffer.from([byte]), resolve));
    split.end();
    assert.equal(await heard(whole), `${TOLD}xend`);
    assert.equal(await heard(split), `${TOLD}end`);
  });
}

test("addresses are told in one way of writing", async (t) => {
  const { client } = await open(t);
  const socket = await client();
  socket.end(version2(SAID6));
  assert.equal(await heard(socket), "2001:db8::9 1 198.51.100.1 2 false\nend");
});

test("a client that speaks TLS with the proxy is said to be encrypted", async (t) => {
  const { client } = await open(t);
  const socket = await client();
  socket.end(version2(SAID, [OVER_TLS]));
  assert.match(await heard(socket), /443 true\n/);
});

test("where the proxy speaks for itself, or knows nothing, the ends are those of its connection", async (t) => {
  const { client, port } = await open(t);
  for (const header of [localHeader(), Buffer.from("PROXY UNKNOWN\r\n")]) {
    const socket = await client();
    const { localPort } = socket;
    socket.end(header);
    assert.equal(await heard(socket), `127.0.0.1 ${localPort} 127.0.0.1 ${port} false\nend`);
  }
});

test("a connection that begins otherwise, or ends within the header, is closed and logged in one line", async (t) => {
  const opened = await open(t);
  for (const [sent, why] of [
    ["GET / HTTP/1.1\r\n\r\n", /^PROXY header: the connection begins with something else /],
    ["PROXY TCP4 \x1b[2J\r\n", /^PROXY header: a malformed line: "PROXY TCP4 \\u001b\[2J" /],
    ["PROXY TCP4", /^PROXY header: the connection ended within it /],
  ] as const) {
    opened.lines.length = 0;
    const socket = await opened.client();
    socket.end(sent, "latin1");
    assert.equal(await heard(socket).catch(() => ""), "");
    assert.equal(opened.lines.length, 1);
    assert.match(opened.lines[0] ?? "", why);
    assert.match(opened.lines[0] ?? "", / ERR_SALLYPORT_BAD_REQUEST client 127\.0\.0\.1$/);
  }
  assert.equal(opened.accepted, 0);
});

test("a peer that connects and leaves is not logged", async (t) => {
  const opened = await open(t);
  const socket = await opened.client();
  socket.end();
  assert.equal(await heard(socket), "");
  assert.deepEqual([opened.lines, opened.accepted], [[], 0]);
});

test("a header that does not come in time ends the connection", async (t) => {
  const { client, lines } = await open(t, { timeout: 50 });
  const socket = await client();
  socket.write("PROXY TCP4 ");
  assert.equal(await heard(socket), "");
  assert.match(lines.join(), /^PROXY header: it did not arrive in time ERR_SALLYPORT_REQUEST_TIMEOUT client/);
});

test("of a peer that need not send a header not a byte is looked at", async (t) => {
  const { client, port } = await open(t, { expects: ({ address }) => address !== "127.0.0.1" });
  const socket = await client();
  const { localPort } = socket;
  socket.end(version1(SAID));
  assert.equal(await heard(socket), `127.0.0.1 ${localPort} 127.0.0.1 ${port} false\n${version1(SAID)}end`);
});

test("without a limit, a header may come late", async (t) => {
  const { client } = await open(t, { timeout: Number.POSITIVE_INFINITY });
  const socket = await client();
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.end(version1(SAID));
  assert.equal(await heard(socket), `${TOLD}end`);
});

test("no more wait for their header than may, and those that wait end when the acceptor closes", async (t) => {
  const opened = await open(t, { most: 2 });
  const waiting = [await opened.client(), await opened.client()];
  const tooMany = await opened.client();
  assert.equal(await heard(tooMany).catch(() => ""), "");
  await opened.acceptor.close(0);
  for (const socket of waiting) assert.equal(await heard(socket).catch(() => ""), "");
  assert.equal(opened.accepted, 0);
});

test("L2: those that leave without a word, or within one, make room for others", async (t) => {
  const opened = await open(t, { most: 1 });
  for (const sent of ["", "PROXY TCP4 ", "PROXY ", "x"]) {
    const socket = await opened.client();
    if (sent === "") socket.resetAndDestroy();
    else socket.end(sent);
    if (sent !== "") await heard(socket).catch(() => "");
  }
  for (;;) {
    const socket = await opened.client();
    socket.end(version1(SAID));
    const answer = await heard(socket).catch(() => "");
    if (answer === "") continue; // the one before has not been seen to leave yet
    assert.equal(answer, `${TOLD}end`);
    break;
  }
});
