// What `explain` says an application is handed is what the application is really handed, and the bytes are those that the
// gateways really send.
import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import { describe, type TestContext, test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import type { Explanation } from "../../src/explain/explain.ts";
import { INTERFACES } from "../../src/explain/facts.ts";
import { beginRequest, TYPE, wholeStream } from "../../src/protocols/fastcgi/codec.ts";
import { assertCovers, fieldAt } from "../kit/covers.ts";
import { ask, CONFIG } from "./ask.ts";

interface Dump {
  readonly values: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What the application answered that it was handed. */
function dumped({ answer }: Explanation): Dump {
  const text = (answer?.response.bytes ?? Buffer.alloc(0)).toString("utf8");
  assert.match(text, /^HTTP\/1\.1 200 /);
  return JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1)) as Dump;
}

/** `name=value`, each ended by a byte 0 but the last. */
function namedBytes({ answer }: Explanation): Record<string, string> {
  const text = (answer?.response.bytes ?? Buffer.alloc(0)).toString("utf8");
  // Chunked, as the program gives no length: every size stands on a line of its own.
  const body = text
    .slice(text.indexOf("\r\n\r\n") + 4)
    .replace(/(^|\r\n)[0-9a-f]+\r\n/g, "")
    .replace(/\r\n$/, "");
  return Object.fromEntries(
    body.split("\0").map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );
}

const told = ({ handovers }: Explanation): Record<string, string> =>
  Object.fromEntries((handovers[0]?.values ?? []).map(({ name, value }) => [name, value]));

/** Values that a text can only describe: objects of the worker. */
const DESCRIBED = /^(wsgi\.(errors|input|file_wrapper|version)|extensions|state|asgi)$/;

function assertTold(found: Explanation): void {
  const { values, body } = dumped(found);
  const claimed = told(found);
  for (const [name, value] of Object.entries(values))
    if (!DESCRIBED.test(name)) assert.equal(claimed[name], value, name);
  for (const name of Object.keys(claimed)) assert.ok(name in values, `${name} was never handed over`);
  assert.equal(body, "a=1");
}

describe("an application is handed exactly what was explained", () => {
  test("WSGI: the environ", async () => assertTold(await ask({}, { run: true })));

  test("ASGI: the scope", async () => {
    assertTold(await ask({ target: "/shop/api/k%C3%A4se?x=1" }, { run: true }));
  });

  test("CGI: the environment and the arguments", async () => {
    const found = await ask({ target: "/any/dump.cgi/more?x=1" }, { run: true });
    const { BODY, ...values } = namedBytes(found);
    const claimed = told(found);
    // What the shell adds to the environment.
    for (const name of ["_", "PWD", "OLDPWD", "SHLVL"]) delete values[name];
    assert.deepEqual(values, claimed);
    assert.equal(values.COLOUR, "blue");
    assert.equal(BODY, "a=1");
    const [environment, input] = found.handovers[0]?.messages ?? [];
    const block = environment?.bytes.toString().split("\0").slice(0, -1);
    const words = Object.entries(claimed).filter(([name]) => !name.startsWith("argv["));
    assert.deepEqual(
      block,
      words.map(([name, value]) => `${name}=${value}`),
    );
    assert.equal(fieldAt(environment?.fields ?? [], "QUERY_STRING", "value").value, "x=1");
    assert.equal(input?.bytes.toString(), "a=1");
  });
});

/** Takes one request as an application elsewhere would, and never answers. Resolves with its bytes. */
async function capture(
  t: TestContext,
  isWhole: (bytes: Buffer) => boolean,
): Promise<{ address: string; bytes: Promise<Buffer> }> {
  let found!: (bytes: Buffer) => void;
  const bytes = new Promise<Buffer>((resolve) => {
    found = resolve;
  });
  const server = createServer((socket) => {
    const pieces: Buffer[] = [];
    socket.on("error", () => {});
    socket.on("data", (piece) => {
      pieces.push(piece);
      const all = Buffer.concat(pieces);
      if (!isWhole(all)) return;
      found(all);
      socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, bytes };
}

const oneApp = (app: Config["apps"][string]): Config => ({
  ...CONFIG,
  apps: { app },
  routes: [{ path: "/shop", app: "app" }],
});

describe("the bytes that were explained are those that are sent", () => {
  for (const kind of ["scgi", "uwsgi"] as const)
    test(kind, async (t) => {
      const { address, bytes } = await capture(t, (all) => all.toString("latin1").endsWith("a=1"));
      const config = oneApp({ [kind]: address, variables: { COLOUR: "blue" } } as never);
      const found = await ask({}, { config, run: true });
      assert.deepEqual(found.handovers[0]?.messages[0]?.bytes, await bytes);
      assert.equal(told(found).COLOUR, "blue");
    });

  test("fastcgi", async (t) => {
    const end = wholeStream(TYPE.STDIN, 1, Buffer.from("a=1"));
    const { address, bytes } = await capture(t, (all) => all.indexOf(end) > 0);
    // By default only connections to applications that answer questions are kept.
    const config = oneApp({ fastcgi: address, keep: true });
    const found = await ask({}, { config, run: true });
    const sent = await bytes;
    const from = sent.indexOf(beginRequest(1, "responder", true));
    assert.ok(from >= 0);
    assert.deepEqual(found.handovers[0]?.messages[0]?.bytes, sent.subarray(from));
  });
});

test("every interface can be shown for every request, and every byte is explained", async () => {
  for (const named of INTERFACES) {
    const { handovers, refusal } = await ask({}, { as: named });
    assert.equal(refusal, undefined, named);
    assert.equal(handovers[0]?.interface, named);
    assert.ok((handovers[0]?.values.length ?? 0) > 4, named);
    for (const { bytes, fields } of handovers[0]?.messages ?? [])
      assertCovers(fields, 0, bytes.length, named);
  }
});

test("where a value comes from is said, also for fields and for the configuration", async () => {
  const { handovers } = await ask({ target: "/x.cgi" });
  const from = Object.fromEntries((handovers[0]?.values ?? []).map((value) => [value.name, value.from]));
  assert.equal(from.HTTP_X_TWO_WORDS, "header field X-Two-Words");
  assert.equal(from.COLOUR, "the configuration of the app");
  assert.equal(from.PATH, "the server's own environment");
});
