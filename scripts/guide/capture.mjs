// What docs/guide/ draws: one request as the encoders of each interface write it, and the answers of real runs. Nothing here
// is written by hand but the request itself.
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkConfig } from "../../src/config/errors.ts";
import { silentLog } from "../../src/exchange/index.ts";
import { explain } from "../../src/explain/explain.ts";
import { passThrough } from "../../src/explain/request.ts";
import { dissectRecords } from "../../src/protocols/fastcgi/dissect.ts";
import { fastcgiListener } from "../../src/protocols/fastcgi/index.ts";
import { scgiListener } from "../../src/protocols/scgi/index.ts";
import { uwsgiListener } from "../../src/protocols/uwsgi/index.ts";
import { FieldReader, textOfBytes } from "../../src/wire/fields.ts";
import { dissectMessage } from "../../src/wire/message.ts";
import { programOf } from "./blocks.mjs";

export const GUIDED = ["cgi", "fastcgi", "scgi", "uwsgi", "wsgi", "asgi"];

const BODY = Buffer.from("two coffees");

export const REQUEST = {
  method: "POST",
  scheme: "http",
  authority: "127.0.0.1:8000",
  target: "/cafe/order?table=4",
  fields: ["Content-Type: text/plain"],
  body: BODY,
  remote: { address: "127.0.0.1", port: 50_000 },
  local: { address: "127.0.0.1", port: 8000 },
};

const ANSWER = "table=4: two coffees\n";
const HEAD = { status: 200, reason: "", headers: ["content-type", "text/plain"] };
const answer = (exchange) => exchange.respond(HEAD, ANSWER);

/** A directory as on a server, which need not exist: nothing in it is read. */
const DIRECTORY = "/srv/cafe";

/** For each interface its handover (src/explain/handover.ts) with `answer`; and the request and the response of HTTP. */
export async function capture() {
  const interfaces = {};
  let request;
  for (const name of GUIDED) {
    const found = await explained(name);
    request = found.request;
    interfaces[name] = await CAPTURES[name](found.handovers[0]);
  }
  return { request, response: await httpResponse(), interfaces };
}

function explained(name) {
  const apps = { shop: { wsgi: "shop:app" } };
  const settings = checkConfig({ apps, routes: [{ path: "/cafe", app: "shop" }] });
  return explain(REQUEST, { settings, directory: DIRECTORY, as: name, diff: undefined, run: false });
}

/** Without the date, which is another one every time. */
async function httpResponse() {
  const { bytes } = await passThrough(REQUEST, {}, silentLog, answer);
  const text = bytes.toString("latin1").replace(/^date: .*\r\n/im, "");
  const kept = Buffer.from(text, "latin1");
  return { name: "HTTP response", bytes: kept, fields: dissectMessage(kept, "status line") };
}

// By interface.

const CAPTURES = { cgi, wsgi: called("wsgi.md"), asgi: called("asgi.md") };
for (const [name, listener] of Object.entries({
  fastcgi: fastcgiListener,
  scgi: scgiListener,
  uwsgi: uwsgiListener,
}))
  CAPTURES[name] = async (handover) => ({ ...handover, answer: await answered(name, listener, handover) });

/** The page's program, run with the variables that it would be handed. */
function cgi(handover) {
  const variables = handover.values.filter(({ name, value, from }) => isOfRequest(name, value, from));
  const env = Object.fromEntries(variables.map(({ name, value }) => [name, value]));
  const output = inFolder("order.cgi", programOf("cgi.md", "order.cgi"), (file) =>
    run("sh", [file], { input: BODY, env: { ...env, PATH: process.env.PATH } }),
  );
  const messages = [environment(variables), input()];
  const fields = dissectMessage(output, undefined);
  return {
    ...handover,
    values: variables,
    messages,
    answer: { name: "standard output", bytes: output, fields },
  };
}

/** Not what comes from the machine that makes the drawings, or from where its files are. */
const isOfRequest = (name, value, from) =>
  /^[A-Z_]+$/.test(name) && !value.includes(DIRECTORY) && from !== "the server's own environment";

/** As a new process gets it on Unix (RFC 3875, 7.2): `NAME=value` and a byte 0 each. */
function environment(variables) {
  const bytes = Buffer.from(variables.map(({ name, value }) => `${name}=${value}\0`).join(""), "latin1");
  const reader = new FieldReader(bytes);
  for (const { name, value } of variables)
    reader.group(name, name.length + value.length + 2, (inner) => {
      inner.take("name", name.length);
      inner.take("equals sign", 1);
      const text = inner.take("value", value.length);
      inner.take("end of the value", 1);
      return textOfBytes(text);
    });
  return { name: "the environment", bytes, fields: reader.fields };
}

function input() {
  const reader = new FieldReader(BODY);
  reader.take("body", BODY.length);
  return { name: "standard input", bytes: BODY, fields: reader.fields };
}

/** What our own listener, the application's half, answers to the bytes of the handover. */
async function answered(name, listenerOf, { messages: [message] }) {
  const listener = listenerOf({ handler: answer, log: silentLog });
  const server = createServer({ allowHalfOpen: true }, (socket) => listener.accept(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect({ port: server.address().port, host: "127.0.0.1", allowHalfOpen: true });
  client.write(message.bytes);
  const bytes = await responseOf(client, name === "fastcgi");
  server.close();
  await listener.close(0);
  const fields = name === "fastcgi" ? dissectRecords(bytes) : dissectMessage(bytes, undefined);
  return { name: "the answer", bytes, fields };
}

/** A kept connection of FastCGI stays open: its answer ends with END_REQUEST. */
async function responseOf(client, kept) {
  let bytes = Buffer.alloc(0);
  for await (const piece of client) {
    bytes = Buffer.concat([bytes, piece]);
    if (kept && dissectRecords(bytes).some(({ value }) => value.startsWith("END_REQUEST"))) break;
  }
  client.destroy();
  return bytes;
}

/** The page's application, called with what it would be handed, and what it did, in order. */
function called(page) {
  return (handover) => {
    const values = handover.values.map(({ name, value }) => [name, value]);
    const told = { interface: handover.interface, values, body: BODY.toString() };
    const script = fileURLToPath(new URL("record.py", import.meta.url));
    const calls = inFolder("shop.py", programOf(page, "shop.py"), (file) =>
      run("python3", ["-I", script, file], { input: JSON.stringify(told) }),
    );
    return { ...handover, calls: JSON.parse(calls.toString()) };
  };
}

function inFolder(name, text, use) {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-guide-"));
  try {
    writeFileSync(join(folder, name), text);
    return use(join(folder, name));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(command, args, options) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { timeout: 60_000, ...options });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}: ${stderr}`);
  return stdout;
}
