import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { connect, createServer, type ListenOptions } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { addressText, parseAddress } from "../../src/config/address.ts";
import { guess, isListening, placesOf, portOf, type Started } from "../../src/server/guess.ts";
import { makeFolder } from "../kit/make-folder.ts";

const CGI = { GATEWAY_INTERFACE: "CGI/1.1", REQUEST_METHOD: "GET" };
const BEHIND_H2O = { REQUEST_METHOD: "GET", SERVER_PROTOCOL: "HTTP/1.1", SCRIPT_NAME: "" };
const SYSTEMD = { LISTEN_PID: "77", LISTEN_FDS: "2" };

const told = (started: Started): string =>
  "listen" in started ? `${started.by} ${started.listen.map(addressText).join(" ")}` : started.by;

const STARTED: [string, Record<string, string>, boolean, string][] = [
  ["nothing at all", {}, false, "nobody"],
  ["the environment of a CGI program", CGI, false, "cgi"],
  ["that of H2O, without GATEWAY_INTERFACE", BEHIND_H2O, false, "cgi"],
  ["another interface, with all other variables", { ...BEHIND_H2O, GATEWAY_INTERFACE: "X" }, false, "nobody"],
  [
    "GATEWAY_INTERFACE alone, as a program's own child may inherit it",
    { GATEWAY_INTERFACE: "CGI/1.1" },
    false,
    "nobody",
  ],
  ["REQUEST_METHOD alone", { REQUEST_METHOD: "GET" }, false, "nobody"],
  ["another interface", { ...CGI, GATEWAY_INTERFACE: "CGI-Perl/1.1" }, false, "nobody"],
  ["a listening socket as descriptor 0", {}, true, "fastcgi fastcgi://fd:0"],
  ["a listening socket as descriptor 0, and systemd's variables", SYSTEMD, true, "fastcgi fastcgi://fd:0"],
  ["a listening socket, from a CGI program with its variables", CGI, true, "fastcgi fastcgi://fd:0"],
  ["systemd's variables", SYSTEMD, false, "systemd fd:3 fd:4"],
  ["systemd's variables for another process", { ...SYSTEMD, LISTEN_PID: "78" }, false, "nobody"],
  ["systemd's variables without sockets", { ...SYSTEMD, LISTEN_FDS: "0" }, false, "nobody"],
  ["systemd's variables with nonsense", { ...SYSTEMD, LISTEN_FDS: "-1" }, false, "nobody"],
  [
    "names of sockets that are protocols",
    { ...SYSTEMD, LISTEN_FDNAMES: "scgi:web" },
    false,
    "systemd scgi://fd:3 fd:4",
  ],
];

for (const [what, env, listening, result] of STARTED) {
  test(`${what}: started by ${result}`, () =>
    assert.equal(told(guess({ env, pid: 77, listening: () => listening })), result));
}

test("a CGI program whose file is named nph-... speaks HTTP itself, and no other does", () => {
  const nph = (names: Record<string, string>): boolean => {
    const started = guess({ env: { ...CGI, ...names }, pid: 77, listening: () => false });
    return started.by === "cgi" && started.nph;
  };
  assert.equal(nph({ SCRIPT_FILENAME: "/srv/nph-app", SCRIPT_NAME: "/app" }), true);
  assert.equal(nph({ SCRIPT_FILENAME: "/srv/app", SCRIPT_NAME: "/nph-app" }), false);
  assert.equal(nph({ SCRIPT_NAME: "/cgi-bin/nph-app" }), true);
  assert.equal(nph({ SCRIPT_NAME: "/nph-dir/app" }), false);
  assert.equal(nph({}), false);
});

test("the configuration of a passed descriptor decides on its protocol, and on nothing else", () => {
  const configured = ["fastcgi://fd:4", "127.0.0.1:8000"].map((text) => parseAddress(text) ?? assert.fail());
  const started = guess({ env: SYSTEMD, pid: 77, listening: () => false });
  assert.deepEqual(placesOf(started, configured).map(addressText), ["fd:3", "fastcgi://fd:4"]);
  assert.deepEqual(placesOf({ by: "nobody" }, configured), configured);
});

const PORTS: [Record<string, string>, string | undefined][] = [
  [{}, undefined],
  [{ PORT: "8080" }, "http://0.0.0.0:8080"],
  [{ PORT: "8080", HOST: "127.0.0.1" }, "http://127.0.0.1:8080"],
  [{ HOST: "0.0.0.0" }, undefined],
  [{ PORT: "" }, undefined],
  [{ PORT: "70000" }, undefined],
  [{ PORT: "unix:/x" }, undefined],
];

for (const [env, result] of PORTS) {
  test(`the environment ${JSON.stringify(env)} asks for ${result ?? "no port"}`, () => {
    const address = portOf(env);
    assert.equal(address && addressText(address), result);
  });
}

const directory = makeFolder();

const fdOf = (handle: object): number => (handle as { _handle: { fd: number } })._handle.fd;

const PLACES: [string, ListenOptions][] = [
  ["TCP", { host: "127.0.0.1", port: 0 }],
  ["IPv6", { host: "::", port: 0 }],
  ["Unix", { path: join(directory, "guess.sock") }],
];

for (const [kind, place] of PLACES) {
  test(`a listening ${kind} socket is distinguished from a connected one`, {
    skip: process.platform !== "linux",
  }, async (t) => {
    const server = createServer().listen(place);
    const [failed] = await Promise.race([once(server, "listening"), once(server, "error")]);
    if (failed) return t.skip(`no such socket here: ${failed}`);
    const accepted = once(server, "connection");
    const bound = server.address();
    const client = connect(typeof bound === "string" ? { path: bound } : { port: Object(bound).port });
    const [socket] = await accepted;
    assert.deepEqual(
      [server, client, socket].map((handle) => isListening(fdOf(handle), {})),
      [true, false, false],
    );
    socket.destroy();
    client.destroy();
    server.close();
  });
}

test("a file, a device and a closed descriptor are not listening sockets, with any environment", () => {
  const env = { FCGI_WEB_SERVER_ADDRS: "127.0.0.1" };
  const file = openSync(new URL(import.meta.url), "r");
  const device = openSync("/dev/null", "r");
  assert.deepEqual(
    [file, device, 4_999].map((fd) => isListening(fd, env)),
    [false, false, false],
  );
  closeSync(file);
  closeSync(device);
});
