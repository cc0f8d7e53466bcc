import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer as createPlain, type Socket } from "node:net";
import { test } from "node:test";
import { createServer } from "node:tls";
import { promisify } from "node:util";
import { resetSocket } from "../../src/sockets/reset.ts";
import { transportOf } from "../../src/sockets/transport.ts";
import { Authority, textOf } from "../kit/certificate-authority.ts";
import { needs } from "../kit/needs.ts";

const authority = new Authority();
const { cert, key } = authority.server("server", ["localhost"]);

/** Says how its connection to the server ended. */
const CLIENT = `
import socket, ssl, sys
context = ssl._create_unverified_context()
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
try:
    if sys.argv[2] == "tls":
        sock = context.wrap_socket(sock, suppress_ragged_eofs=False)
    sock.sendall(b"hello")
    while sock.recv(100):
        pass
    print("a good end")
except OSError as error:
    print(type(error).__name__)
`;

const PYTHON = "python3";

async function endOf(
  t: Parameters<typeof needs>[0],
  server: ReturnType<typeof createPlain>,
  how: string,
): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { stdout } = await promisify(execFile)(PYTHON, ["-c", CLIENT, String(port), how]);
  return stdout.trim();
}

const breaking = (socket: Socket): void => {
  socket.on("error", () => {});
  socket.on("data", () => {
    socket.write("some");
    resetSocket(socket);
  });
};

test("a connection that is broken off is reset, and under TLS it has no good end either", async (t) => {
  if (!needs(t, PYTHON)) return;
  assert.equal(await endOf(t, createPlain(breaking), "plain"), "ConnectionResetError");
  const options = { cert: textOf(cert), key: textOf(key) };
  const end = await endOf(t, createServer(options, breaking), "tls");
  assert.ok(["ConnectionResetError", "SSLEOFError"].includes(end), end);
});

test("TLS whose end is already on its way is closed without a good end being taken back", async (t) => {
  if (!needs(t, PYTHON)) return;
  const options = { cert: textOf(cert), key: textOf(key) };
  const server = createServer(options, (socket) => {
    socket.on("error", () => {});
    socket.on("data", () => {
      socket.end("all");
      resetSocket(socket);
    });
  });
  assert.notEqual(await endOf(t, server, "tls"), "ConnectionResetError");
});

test("a TLS socket can be broken off within the event that ends its handshake", async (t) => {
  if (!needs(t, PYTHON)) return;
  const server = createServer({ cert: textOf(cert), key: textOf(key) }, (socket) => {
    socket.on("error", () => {});
    resetSocket(socket);
  });
  assert.notEqual(await endOf(t, server, "tls"), "a good end");
});

test("the transport of a TLS socket is the connection below it, and a connection has none", async (t) => {
  const server = createServer({ cert: textOf(cert), key: textOf(key) }, (socket) => socket.destroy());
  const below = once(server, "connection");
  const above = once(server, "secureConnection");
  if (!needs(t, PYTHON)) return;
  await endOf(t, server, "tls");
  const [raw] = (await below) as [Socket];
  const [socket] = (await above) as [Socket];
  assert.equal(transportOf(socket), raw);
  assert.equal(transportOf(raw), undefined);
});
